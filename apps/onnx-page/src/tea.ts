// The training data of the page's model: how long and how hot tea was brewed, and how people rated it.

import { FastKMeansClassifier, jsBackend } from '@fkm/core';

const said = (minutes: number, degrees: number): string => {
  const strength = (minutes * (degrees - 40)) / 50;
  return strength < 2.5 ? 'weak' : strength < 5.5 ? 'good' : 'bitter';
};

/** Tea over a grid of minutes and degrees. */
export async function learnTea(): Promise<FastKMeansClassifier> {
  const X = Array.from({ length: 1600 }, (_, i) => [(i % 40) / 4, 60 + Math.floor(i / 40)]);
  const y = X.map(([minutes, degrees]) => said(minutes as number, degrees as number));
  const model = new FastKMeansClassifier({ backend: jsBackend(), nPrototypes: 40, heads: 2 });
  await model.fit(X, y, { maxIters: 5 });
  await model.finetune(X, y, { epochs: 10 });
  return model;
}
