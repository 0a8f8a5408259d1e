/**
 * A layered picture of a directed acyclic graph, folded into columns like a newspaper's text, so
 * that a deep network fits on a screen.
 *
 * A row holds vertices that don't depend on each other. An edge that spans rows is bent once in each
 * row between, at a slot of its own, so that every link joins neighbouring rows.
 */

export const BOX_HEIGHT = 24;
const ROW = 40; // from one row's middle to the next's
const GAP = 14; // between slots of a row
const BEND = 6; // width of a slot where an edge passes
const GUTTER = 26; // between columns
const LANE = 5; // between edges that go side by side from one column to the next
const SWEEPS = 12;
const WEIGHT = 8; // how much more a vertex holds its place than a bend does

/**
 * @typedef {object} Vertex
 * @property {number} width
 * @property {string[]} inputs   names of values
 * @property {string[]} outputs  names of values; no two vertices share one
 *
 * @typedef {object} Slot    where a vertex stands or an edge bends; x and y are its middle
 * @property {number} [vertex]
 * @property {number} width
 * @property {number} height
 * @property {number} row
 * @property {number} x
 * @property {number} y
 * @property {Slot[]} above
 * @property {Slot[]} below
 *
 * @typedef {object} Link    a piece of an edge, between neighbouring rows
 * @property {number} source
 * @property {Set<number>} targets  the vertices that the value reaches this way
 * @property {Slot} from
 * @property {Slot} to
 *
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {{ x: number, y: number }[]} places  of the vertices: their middles
 * @property {{ source: number, targets: Set<number>, path: string }[]} lines  as SVG paths
 */

/**
 * @param {Vertex[]} vertices each after those that it depends on
 * @param {number} aspect the picture's width over its height, roughly
 * @returns {Picture}
 */
export function layout(vertices, aspect) {
  const sources = sourcesOf(vertices);
  const { slots, rows, links } = slotsOf(vertices, sources, rowsOf(sources));
  orderRows(rows);
  alignRows(rows);
  straighten(rows);
  const columns = fold(rows, aspect);
  return {
    width: columns.width,
    height: columns.height,
    places: slots.map(({ x, y }) => ({ x, y })),
    lines: links.map((link) => ({
      source: link.source,
      targets: link.targets,
      path: path(link, columns),
    })),
  };
}

/**
 * For each vertex, the vertices whose values it takes.
 * @param {Vertex[]} vertices
 */
function sourcesOf(vertices) {
  const producers = new Map(vertices.flatMap(({ outputs }, i) => outputs.map((name) => [name, i])));
  return vertices.map(({ inputs }) => [
    ...new Set(inputs.flatMap((name) => producers.get(name) ?? [])),
  ]);
}

/**
 * The row of each vertex: one below the lowest that it depends on. What depends on nothing stands
 * right above its first consumer.
 * @param {number[][]} sources
 */
function rowsOf(sources) {
  /** @type {number[]} */
  const rows = [];
  for (const of of sources) rows.push(Math.max(-1, ...of.map((i) => rows[i])) + 1);
  const first = rows.map(() => Infinity);
  sources.forEach((of, i) => of.forEach((s) => (first[s] = Math.min(first[s], rows[i]))));
  return rows.map((row, i) => (sources[i].length || first[i] === Infinity ? row : first[i] - 1));
}

/**
 * @param {Vertex[]} vertices
 * @param {number[][]} sources
 * @param {number[]} rowOf
 */
function slotsOf(vertices, sources, rowOf) {
  /** @type {Slot[][]} */
  const rows = Array.from({ length: Math.max(-1, ...rowOf) + 1 }, () => []);
  const add = (/** @type {number} */ row, /** @type {Partial<Slot>} */ size) => {
    const slot = { row, x: 0, y: 0, width: BEND, height: 0, above: [], below: [], ...size };
    rows[row].push(slot);
    return slot;
  };
  const slots = vertices.map(({ width }, vertex) =>
    add(rowOf[vertex], { vertex, width, height: BOX_HEIGHT }),
  );
  /** The edges of one vertex share their bends: for each vertex, the link into each row below it.
   * @type {Map<number, Link>[]} */
  const bends = vertices.map(() => new Map());
  /** @type {Link[]} */
  const links = [];
  const join = (/** @type {number} */ source, /** @type {Slot} */ from, /** @type {Slot} */ to) => {
    const link = { source, targets: new Set(), from, to };
    links.push(link);
    from.below.push(to);
    to.above.push(from);
    return link;
  };
  sources.forEach((of, target) => {
    for (const source of of) {
      let from = slots[source];
      for (let row = rowOf[source] + 1; row < rowOf[target]; row++) {
        const link = bends[source].get(row) ?? join(source, from, add(row, {}));
        bends[source].set(row, link);
        link.targets.add(target);
        from = link.to;
      }
      join(source, from, slots[target]).targets.add(target);
    }
  });
  return { slots, rows, links };
}

/**
 * Orders each row by where its neighbours stand, to have few crossings.
 * @param {Slot[][]} rows
 */
function orderRows(rows) {
  const place = (/** @type {Slot[]} */ row) => row.forEach((slot, i) => (slot.x = i));
  rows.forEach(place);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      const keys = new Map(row.map((slot) => [slot, mean(down ? slot.above : slot.below, slot.x)]));
      row.sort((a, b) => /** @type {number} */ (keys.get(a)) - /** @type {number} */ (keys.get(b)));
      place(row);
    }
  }
}

/**
 * Sets x: each slot as near to its neighbours' as those of its row allow.
 * @param {Slot[][]} rows
 */
function alignRows(rows) {
  for (const row of rows) spread(row, () => 0);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      spread(row, (slot) => mean(down ? slot.above : slot.below, slot.x));
    }
  }
  for (const row of rows) spread(row, (slot) => mean([...slot.above, ...slot.below], slot.x));
}

/**
 * @param {Slot[]} slots
 * @param {number} otherwise
 */
function mean(slots, otherwise) {
  const total = slots.reduce((sum, slot) => sum + weight(slot), 0);
  return total ? slots.reduce((sum, slot) => sum + slot.x * weight(slot), 0) / total : otherwise;
}

/** @param {Slot} slot */
function weight({ vertex }) {
  return vertex === undefined ? 1 : WEIGHT;
}

/**
 * The x of a row's slots that keep order and gaps and come closest (weighted least squares) to what
 * is wanted: isotonic regression, by pooling neighbours that would overlap.
 * @param {Slot[]} row
 * @param {(slot: Slot) => number} wanted
 */
function spread(row, wanted) {
  let offset = 0;
  /** @type {{ sum: number, weight: number, count: number }[]} */
  const pools = [];
  const offsets = row.map((slot, i) => {
    if (i > 0) offset += (row[i - 1].width + slot.width) / 2 + GAP;
    let pool = { sum: (wanted(slot) - offset) * weight(slot), weight: weight(slot), count: 1 };
    for (let last = pools.at(-1); last; last = pools.at(-1)) {
      if (last.sum / last.weight <= pool.sum / pool.weight) break;
      pool = {
        sum: pool.sum + last.sum,
        weight: pool.weight + last.weight,
        count: pool.count + last.count,
      };
      pools.pop();
    }
    pools.push(pool);
    return offset;
  });
  const starts = pools.flatMap((pool) => new Array(pool.count).fill(pool.sum / pool.weight));
  row.forEach((slot, i) => (slot.x = starts[i] + offsets[i]));
}

/**
 * Puts the bends of an edge right below one another, where there is room.
 * @param {Slot[][]} rows
 */
function straighten(rows) {
  const isBend = (/** @type {Slot} */ { vertex }) => vertex === undefined;
  for (const first of rows.flat().filter((slot) => isBend(slot) && !slot.above.some(isBend))) {
    const chain = [first];
    for (let next = first.below.find(isBend); next; next = next.below.find(isBend))
      chain.push(next);
    const rooms = chain.map((slot) => room(slot, rows[slot.row]));
    const left = Math.max(...rooms.map((each) => each.left));
    const right = Math.min(...rooms.map((each) => each.right));
    if (left > right) continue;
    const x = Math.min(Math.max(mean(chain, 0), left), right);
    for (const slot of chain) slot.x = x;
  }
}

/**
 * How far a slot can go without touching its neighbours.
 * @param {Slot} slot
 * @param {Slot[]} row
 */
function room(slot, row) {
  const i = row.indexOf(slot);
  const apart = (/** @type {Slot} */ other) => (other.width + slot.width) / 2 + GAP;
  return {
    left: i > 0 ? row[i - 1].x + apart(row[i - 1]) : -Infinity,
    right: i < row.length - 1 ? row[i + 1].x - apart(row[i + 1]) : Infinity,
  };
}

/**
 * Cuts the rows into columns of equal height and sets x and y in the whole picture.
 * @param {Slot[][]} rows
 * @param {number} aspect
 */
function fold(rows, aspect) {
  const typical = extent(rows).width + GUTTER;
  const wanted = Math.sqrt((rows.length * typical) / (aspect * ROW));
  const count = Math.max(1, Math.round(rows.length / Math.max(wanted, 6)));
  const perColumn = Math.max(1, Math.ceil(rows.length / count));
  /** @type {number[]} the x of each column's left and right edges */
  const lefts = [];
  const rights = [];
  let x = GUTTER / 2;
  for (let start = 0; start < rows.length; start += perColumn) {
    const column = rows.slice(start, start + perColumn);
    const { left, width } = extent(column);
    column.forEach((row, i) => {
      for (const slot of row) {
        slot.x += x - left;
        slot.y = GUTTER + ROW * i + BOX_HEIGHT / 2;
      }
    });
    lefts.push(x);
    rights.push(x + width);
    const crossing = column.at(-1)?.reduce((sum, { below }) => sum + below.length, 0) ?? 0;
    x += width + GUTTER + LANE * crossing;
  }
  return {
    perColumn,
    rights,
    width: (rights.at(-1) ?? 0) + GUTTER / 2,
    height: GUTTER * 2 + ROW * (perColumn - 1) + BOX_HEIGHT,
    /** @type {number[]} how many edges have been led past each column */
    passed: rights.map(() => 0),
  };
}

/** @param {Slot[][]} rows */
function extent(rows) {
  let [left, right] = [Infinity, -Infinity];
  for (const { x, width } of rows.flat()) {
    left = Math.min(left, x - width / 2);
    right = Math.max(right, x + width / 2);
  }
  return { left, width: Math.max(0, right - left) };
}

/**
 * @param {Link} link
 * @param {ReturnType<typeof fold>} columns
 */
function path({ from, to }, columns) {
  const [bottom, top] = [from.y + from.height / 2, to.y - to.height / 2];
  const column = Math.floor(from.row / columns.perColumn);
  if (column === Math.floor(to.row / columns.perColumn)) {
    const middle = (bottom + top) / 2;
    return `M${from.x} ${bottom}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${top}`;
  }
  const lane = LANE * columns.passed[column]++;
  const gutter = columns.rights[column] + GUTTER / 2 + lane;
  const low = columns.height - GUTTER + 8 + Math.min(lane, GUTTER - 10);
  const high = GUTTER - 8 - Math.min(lane, GUTTER - 10);
  return rounded([
    [from.x, bottom],
    [from.x, low],
    [gutter, low],
    [gutter, high],
    [to.x, high],
    [to.x, top],
  ]);
}

/**
 * A polyline with round corners.
 * @param {[number, number][]} points
 */
function rounded(points) {
  const radius = 6;
  const towards = (/** @type {number[]} */ [x, y], /** @type {number[]} */ [a, b]) => {
    const distance = Math.hypot(a - x, b - y) || 1;
    const share = Math.min(radius, distance / 2) / distance;
    return `${x + (a - x) * share} ${y + (b - y) * share}`;
  };
  const corners = points.slice(1, -1).map((point, i) => {
    const [before, after] = [points[i], points[i + 2]];
    return `L${towards(point, before)}Q${point[0]} ${point[1]} ${towards(point, after)}`;
  });
  const [first, last] = [points[0], points[points.length - 1]];
  return `M${first[0]} ${first[1]}${corners.join("")}L${last[0]} ${last[1]}`;
}
