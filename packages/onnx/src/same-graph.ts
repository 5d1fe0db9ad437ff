// Whether two ONNX models have equal nodes, ignoring what registries and tools may write: names of the graph and of its nodes,
// notes, shapes of intermediate values.

import { fieldsOf, graphFields, type Parts } from './read-parts.js';

/** Descriptive fields of a message, and its fields that are messages. */
interface Message {
  readonly words: readonly number[];
  readonly inner?: Readonly<Record<number, Message>>;
}

const value: Message = { words: [3, 4] };
const tensor: Message = { words: [12, 16] };
const node: Message = { words: [3, 6, 9] };
const graph: Message = {
  words: [2, 10, 13, 16],
  inner: { [graphFields.node]: node, [graphFields.initializer]: tensor, 11: value, 12: value },
};

/** The fields of a message without the descriptive ones, by number; fields of one number keep their order. */
function* meaningOf(bytes: Uint8Array, { words, inner = {} }: Message): Generator<Uint8Array> {
  const fields = [...fieldsOf(bytes)].filter(({ number }) => !words.includes(number));
  for (const field of fields.sort((a, b) => a.number - b.number)) {
    const message = inner[field.number];
    if (message && field.value instanceof Uint8Array) {
      yield Uint8Array.of(field.number);
      yield* meaningOf(field.value, message);
    } else yield bytes.subarray(field.begin, field.end);
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

function alike(a: Iterable<Uint8Array>, b: Iterable<Uint8Array>): boolean {
  const others = b[Symbol.iterator]();
  for (const part of a) {
    const { value: other, done } = others.next();
    if (done || !equal(part, other)) return false;
  }
  return others.next().done === true;
}

/** Errors: Malformed, or an Error of the reader. */
export const sameModel = (a: Parts, b: Parts): boolean =>
  alike(meaningOf(a.graph, graph), meaningOf(b.graph, graph)) && alike(a.others, b.others);

/** Whether one flipped bit turns one name into the other, which no tool would do. */
export function isOneBitApart(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const at = a.findIndex((byte, i) => byte !== b[i]);
  if (at < 0) return false;
  const difference = (a[at] as number) ^ (b[at] as number);
  return (difference & (difference - 1)) === 0 && equal(a.subarray(at + 1), b.subarray(at + 1));
}
