// Fits a model on a table and writes model.onnx, which the other examples run.
import { writeFileSync } from 'node:fs';
import { FastKMeansClassifier, jsBackend } from '@fkm/core';
import { exportOnnx } from '@fkm/onnx';

const people = Array.from({ length: 300 }, (_, i) => ({
  age: i % 13 === 0 ? null : 20 + ((i * 7) % 50),
  job: i % 11 === 0 ? null : ['baker', 'nurse', 'pilot'][i % 3],
  since: new Date(Date.UTC(2015, i % 96, 1 + (i % 28))),
  owner: i % 4 === 0,
  buys: i % 3 === 2 && (i * 7) % 50 < 30 ? 'yes' : 'no',
}));
const model = new FastKMeansClassifier({ backend: jsBackend(), nPrototypes: 40 });
await model.fit(people, 'buys');
writeFileSync(new URL('model.onnx', import.meta.url), exportOnnx(model, { training: false }));

const asked = [
  { age: 31, job: 'pilot', since: new Date('2019-05-01'), owner: true },
  { age: null, job: 'juggler', since: null, owner: false },
];
console.log([...(await model.predict(asked)).data].join(' '));
