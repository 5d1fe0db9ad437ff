// A graph as bytes, read back without building anything. Bytes are checked as untrusted: sizes before anything is allocated, then
// every level, link and number.
//
//   frame · distance, K, D, m, efConstruction, entry: 4 each · seed 8 · levels and states, a byte each, [K] padded to 4
//   · drift f32 [K] · ground i32 [K, 2m] · upper i32 [Σ levels, m] · vectors f32 [K, D]

import { contentOf, frameBytes, readWords, refusal, seal, viewOf, writeWords } from './bytes.js';
import { distanceCodes, distanceOfCode, type HnswDistance } from './distances.js';
import { emptyGraph, type Graph, linkLimit, linkStart, linksOf, live, maxLevel, unlinked } from './graph.js';
import { type KernelName, openKernel } from './kernel.js';
import { maxEf, maxLinks } from './options.js';

const magic = 'fkm-hnsw';
/** Bytes of the head without the frame. */
const headBytes = 32;
/** The state of a point is in the two bits above its level. */
const stateShift = 5;

interface Head {
  readonly distance: HnswDistance;
  readonly efConstruction: number;
  readonly seed: number;
}

const padded = (bytes: number): number => Math.ceil(bytes / 4) * 4;

export function writeGraph(graph: Graph, { distance, efConstruction, seed }: Head): Uint8Array {
  const { kernel, count, columns, m, levels, states, drift, ground, upper } = graph;
  const groundAt = frameBytes + headBytes + padded(count) + drift.byteLength;
  const vectorsAt = groundAt + ground.byteLength + upper.byteLength;
  const bytes = new Uint8Array(vectorsAt + count * columns * 4);
  const view = viewOf(bytes);
  [distanceCodes[distance], count, columns, m, efConstruction, graph.entry].forEach((value, i) => {
    view.setInt32(frameBytes + 4 * i, value, true);
  });
  view.setFloat64(frameBytes + 24, seed, true);
  for (let place = 0; place < count; place++) {
    bytes[frameBytes + headBytes + place] =
      (levels[place] as number) | ((states[place] as number) << stateShift);
  }
  writeWords(bytes, frameBytes + headBytes + padded(count), drift);
  writeWords(bytes, groundAt, ground);
  writeWords(bytes, groundAt + ground.byteLength, upper);
  for (let place = 0; place < count; place++) {
    const row = kernel.vectors.subarray(place * kernel.width, place * kernel.width + columns);
    writeWords(bytes, vectorsAt + place * columns * 4, row);
  }
  return seal(bytes, magic);
}

/** Errors: FormatError, also for bytes of another distance. */
export function readGraph(
  file: Uint8Array,
  kernelName: KernelName,
  distance: HnswDistance,
): { graph: Graph; efConstruction: number; seed: number } {
  const bytes = contentOf(file, magic);
  if (bytes.length < headBytes) throw refusal('they end within the head', { length: bytes.length });
  const view = viewOf(bytes);
  const word = (i: number): number => view.getInt32(4 * i, true);
  const [named, count, columns, m, efConstruction, entry] = [0, 1, 2, 3, 4, 5].map(word) as Numbers;
  const seed = view.getFloat64(24, true);
  expectDistance(distanceOfCode(named), distance);
  const within = (name: string, value: number, least: number, most: number): void => {
    if (!(Number.isInteger(value) && value >= least && value <= most)) {
      throw refusal(`${name} is ${value}`, { [name]: value });
    }
  };
  within('K', count, 0, 2 ** 31 - 1);
  within('D', columns, 1, 2 ** 31 - 1);
  within('m', m, 2, maxLinks);
  within('efConstruction', efConstruction, 1, maxEf);
  within('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  // Checked before anything is allocated: a small file that claims millions of rows is too short for their levels.
  const levelsEnd = headBytes + padded(count);
  const shortest = levelsEnd + count * 4 * (1 + 2 * m + columns);
  if (bytes.length < shortest) throw refusal(`they end at ${bytes.length}`, { expected: shortest });
  const levels = new Uint8Array(count);
  let blocks = 0;
  for (let place = 0; place < count; place++) {
    levels[place] = (bytes[headBytes + place] as number) & ((1 << stateShift) - 1);
    if ((levels[place] as number) > maxLevel)
      throw refusal(`place ${place} has level ${levels[place]}`, { place });
    blocks += levels[place] as number;
  }
  const length = shortest + blocks * m * 4;
  if (bytes.length !== length) {
    throw refusal(`they have ${bytes.length} bytes, should have ${length}`, { expected: length });
  }
  const graph = emptyGraph(openKernel(kernelName, distance, count, columns), columns, m, levels);
  for (let place = 0; place < count; place++) {
    const state = (bytes[headBytes + place] as number) >> stateShift;
    if (state > unlinked) throw refusal(`place ${place} is in state ${state}`, { place });
    graph.states[place] = state;
    if (state !== unlinked) graph.linked++;
    if (state === live) graph.size++;
  }
  graph.entry = entry;
  readWords(bytes, levelsEnd, graph.drift);
  readWords(bytes, levelsEnd + graph.drift.byteLength, graph.ground);
  const upperAt = levelsEnd + graph.drift.byteLength + graph.ground.byteLength;
  readWords(bytes, upperAt, graph.upper);
  readVectors(bytes, upperAt + graph.upper.byteLength, graph);
  checkGraph(graph);
  return { graph, efConstruction, seed };
}

type Numbers = [number, number, number, number, number, number];

function expectDistance(written: HnswDistance | undefined, expected: HnswDistance): void {
  if (written === expected) return;
  const reason = written
    ? `they measure '${written}' and this index '${expected}'; make one with distance: '${written}'`
    : 'they measure a distance that is unknown here';
  throw refusal(reason, { distance: written, expected });
}

function readVectors(bytes: Uint8Array, at: number, { kernel, count, columns }: Graph): void {
  for (let place = 0; place < count; place++) {
    const start = place * kernel.width;
    readWords(bytes, at + place * columns * 4, kernel.vectors.subarray(start, start + columns));
  }
}

/** Errors: FormatError for a link, an entry or a number that no index has. */
function checkGraph(graph: Graph): void {
  const { count, levels, states, entry, kernel, drift } = graph;
  const isEntry = entry >= 0 && entry < count && states[entry] !== unlinked;
  if (graph.linked === 0 ? entry !== -1 : !isEntry) throw refusal(`its entry is ${entry}`, { entry });
  for (let place = 0; place < count; place++) {
    if (states[place] !== unlinked && (levels[place] as number) > (levels[entry] as number)) {
      throw refusal(`place ${place} is above the entry`, { place });
    }
    // Infinity is the sum of moves that overflowed.
    if (!((drift[place] as number) >= 0))
      throw refusal(`place ${place} has drift ${drift[place]}`, { place });
    for (let level = 0; level <= (levels[place] as number); level++) checkLinks(graph, place, level);
  }
  for (let i = 0; i < kernel.vectors.length; i++) {
    if (Number.isFinite(kernel.vectors[i])) continue;
    throw refusal(`place ${Math.floor(i / kernel.width)} has ${kernel.vectors[i]}`, { place: i });
  }
}

function checkLinks(graph: Graph, place: number, level: number): void {
  const { count, levels, states } = graph;
  const links = linksOf(graph, level);
  const start = linkStart(graph, place, level);
  let ended = states[place] === unlinked;
  for (let i = start; i < start + linkLimit(graph, level); i++) {
    const link = links[i] as number;
    const allowed =
      link === -1 ||
      (!ended &&
        link >= 0 &&
        link < count &&
        link !== place &&
        states[link] !== unlinked &&
        (levels[link] as number) >= level);
    if (!allowed)
      throw refusal(`place ${place} is linked to ${link} on level ${level}`, { place, link, level });
    if (link === -1) ended = true;
  }
}
