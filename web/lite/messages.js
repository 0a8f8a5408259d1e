/**
 * In an isolated page, JupyterLite and its kernel talk through shared memory, by a library (coincident) that waits for a
 * message's first word and then takes what is there for the whole: whoever looks while the other writes loses the cell,
 * or the kernel. So this page says that it isn't isolated, and they post messages. The kernel's worker still is.
 */
Object.defineProperty(window, "crossOriginIsolated", { value: false });
