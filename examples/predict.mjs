// Node: answers rows of a table by model.onnx.
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const session = await InferenceSession.create(fileURLToPath(new URL('model.onnx', import.meta.url)));
const people = [
  { age: 31, job: 'pilot', since: new Date('2019-05-01'), owner: true },
  { age: null, job: 'juggler', since: null, owner: false }, // null: missing; no juggler was in the training rows
];
const arrays = {
  float32: (cells) => Float32Array.from(cells, (cell) => (cell === null ? Number.NaN : Number(cell))),
  string: (cells) => cells.map((cell) => cell ?? ''),
  int64: (cells) => BigInt64Array.from(cells, (cell) => (cell ? BigInt(cell.getTime()) : -(2n ** 63n))),
};
const feeds = session.inputMetadata.map(({ name, type }) => {
  const cells = people.map((person) => person[name]);
  return [name, new Tensor(type, arrays[type](cells), [people.length, 1])];
});
const { label } = await session.run(Object.fromEntries(feeds));
console.log(label.data.join(' '));
