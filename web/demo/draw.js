/** A pad to draw a digit on with mouse, pen or finger, and what the network sees of it. */

/** @typedef {{ x: number, y: number }} Point */

const SIZE = 8;
const FINE = 64; // the drawing is laid out this finely before it is averaged down to SIZE
const STROKE = 12; // as thick, on that scale, as the strokes in the training images
const MARGIN = 1;

export class Pad {
  /** @type {Point[][]} */
  #strokes = [];
  /** @type {number | undefined} */
  #pointer;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} onChange
   */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#extend(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => (this.#pointer = undefined));
    }
  }

  clear() {
    this.#strokes = [];
    this.#paint();
  }

  /**
   * Shows an image instead of strokes; the next stroke begins afresh.
   * @param {number[]} pixels
   */
  show(pixels) {
    this.#strokes = [];
    paintPixels(this.canvas, pixels);
  }

  /** The drawing as the network sees it: 8x8 shares of ink, 0 to 1. */
  pixels() {
    return average(centred(this.#strokes));
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (event.button !== 0) return;
    this.#pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.#strokes.push([this.#point(event)]);
    this.#changed();
  }

  /** @param {PointerEvent} event */
  #extend(event) {
    if (event.pointerId !== this.#pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    const stroke = this.#strokes[this.#strokes.length - 1];
    stroke.push(...(events.length ? events : [event]).map((each) => this.#point(each)));
    this.#changed();
  }

  /**
   * @param {PointerEvent} event
   * @returns {Point} as shares of the canvas
   */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  #changed() {
    this.#paint();
    this.onChange();
  }

  #paint() {
    const { canvas } = this;
    const context = context2d(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = getComputedStyle(canvas).color;
    trace(context, this.#strokes, (v) => v * canvas.width, canvas.width * 0.07);
  }
}

/**
 * Draws 8x8 shares of ink, as square pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number[]} pixels
 */
export function paintPixels(canvas, pixels) {
  const context = context2d(canvas);
  const scale = canvas.width / SIZE;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = getComputedStyle(canvas).color;
  pixels.forEach((ink, i) => {
    context.globalAlpha = ink;
    context.fillRect((i % SIZE) * scale, Math.floor(i / SIZE) * scale, scale, scale);
  });
  context.globalAlpha = 1;
}

/** @param {HTMLCanvasElement} canvas */
function context2d(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser can't draw on a canvas.");
  return context;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point[][]} strokes
 * @param {(value: number, axis: "x" | "y") => number} scale
 * @param {number} width
 */
function trace(context, strokes, scale, width) {
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  for (const [first, ...rest] of strokes) {
    context.moveTo(scale(first.x, "x"), scale(first.y, "y"));
    for (const { x, y } of rest.length ? rest : [first])
      context.lineTo(scale(x, "x"), scale(y, "y"));
  }
  context.stroke();
}

/**
 * The strokes at the size, place and thickness of the training images: as high as the picture
 * (or as wide, if that is more), in the middle.
 * @param {Point[][]} strokes
 */
function centred(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = FINE;
  const context = context2d(canvas);
  const points = strokes.flat();
  if (points.length === 0) return context;
  const low = { x: Math.min(...points.map((p) => p.x)), y: Math.min(...points.map((p) => p.y)) };
  const high = { x: Math.max(...points.map((p) => p.x)), y: Math.max(...points.map((p) => p.y)) };
  const extent = Math.max(high.x - low.x, high.y - low.y, 0.05);
  const scale = (FINE - STROKE - 2 * MARGIN) / extent;
  const middle = { x: (low.x + high.x) / 2, y: (low.y + high.y) / 2 };
  trace(context, strokes, (value, axis) => (value - middle[axis]) * scale + FINE / 2, STROKE);
  return context;
}

/** @param {CanvasRenderingContext2D} context of FINE x FINE pixels */
function average(context) {
  const { data } = context.getImageData(0, 0, FINE, FINE);
  const block = FINE / SIZE;
  const pixels = new Array(SIZE * SIZE).fill(0);
  for (let y = 0; y < FINE; y++) {
    for (let x = 0; x < FINE; x++) {
      const pixel = Math.floor(y / block) * SIZE + Math.floor(x / block);
      pixels[pixel] += data[(y * FINE + x) * 4 + 3] / (255 * block * block);
    }
  }
  return pixels;
}
