// Uses core in a page, without Node.

import { FastKMeansRegressor, isFkmError, jsBackend } from '@fkm/core';

export async function run(): Promise<unknown> {
  const backend = jsBackend();
  const X = Array.from({ length: 200 }, (_, i) => [(i % 20) / 3, (i % 21) / 20]);
  const y = X.map(([a, b]) => Math.sin(a as number) + (b as number));
  const model = new FastKMeansRegressor({ backend, nPrototypes: 20, heads: 1 });
  await model.fit(X, y, { maxIters: 3 });
  const again = await FastKMeansRegressor.load(await model.save(), { backend });
  const kind = (error: unknown): unknown => (isFkmError(error) ? error.kind : String(error));
  return {
    same: String((await again.predict(X)).data) === String((await model.predict(X)).data),
    score: (await again.score(X, y)) > 0.5,
    kinds: [
      await model.saveFile('model').catch(kind),
      await FastKMeansRegressor.loadFile('model', { backend }).catch(kind),
    ],
  };
}
