/** Images as input: a picture at the size that a model wants. */

/**
 * @typedef {object} ImageInput
 * @property {string} input   the name of the model's input
 * @property {Uint8ClampedArray} rgba
 * @property {number} width
 * @property {number} height
 */

/**
 * Where a picture fits: the first input of four dimensions with one or three channels.
 * @param {{ name: string, shape: (number | string | null)[] }[]} inputs
 */
export function imageInput(inputs) {
  return inputs.find(({ shape }) => {
    return shape.length === 4 && [shape[1], shape[3]].some((dim) => dim === 1 || dim === 3);
  });
}

/**
 * The middle of a picture, scaled to fill width x height.
 * @param {Blob} file
 * @param {number} width
 * @param {number} height
 */
export async function pixels(file, width, height) {
  const bitmap = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
  return context.getImageData(0, 0, width, height).data;
}
