/* The engine's heap, counted. */
#ifndef PYXNN_MEMORY_H
#define PYXNN_MEMORY_H

#include <xnnpack.h>

/* XNNPACK's allocator on the counted heap. */
extern const struct xnn_allocator pyxnn_xnn_allocator;

/*
 * Zeroed memory for the engine's own structures; freed with pyxnn_release.
 * @return NULL when the memory could not grow.
 */
void* pyxnn_allocate_zero(size_t size);

#endif
