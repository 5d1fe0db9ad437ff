import { expect, expectTypeOf, it } from 'vitest';
import { deployment } from '../deploy/deployment.js';
import {
  type Batched,
  batched,
  type Estimator,
  FastKMeansClassifier,
  FastKMeansClusterer,
  FastKMeansRegressor,
  FastMultiLabelKMeansClassifier,
  jsBackend,
} from '../index.js';

const backend = jsBackend();
const X = Array.from({ length: 40 }, (_, i) => [Math.sin(i), Math.cos(2 * i)]);
const sign = X.map(([a = 0]) => (a > 0 ? 1 : 0));

/** What helpers of users do, of whatever estimator. */
async function rowsAnswered(model: Estimator): Promise<number> {
  const together: Batched<Estimator> = batched(model);
  const alone = await model.predict(X);
  const bytes = await model.save();
  const { columns } = deployment(model, { featureMask: false });
  await together.dispose();
  return bytes.length > 0 && columns === 2 && model.grid.ages.shape.length === 1 ? alone.data.length : 0;
}

it('Estimator names any of the estimators', async () => {
  expectTypeOf<FastKMeansClusterer>().toExtend<Estimator>();
  const options = { backend, heads: 1 };
  const clusterer = new FastKMeansClusterer({ backend });
  await clusterer.fit(X);
  const regressor = new FastKMeansRegressor(options);
  await regressor.fit(X, sign);
  const classifier = new FastKMeansClassifier(options);
  await classifier.fit(X, sign);
  const labels = new FastMultiLabelKMeansClassifier(options);
  await labels.fit(
    X,
    sign.map((one) => [one, 1 - one]),
  );
  const all: readonly Estimator[] = [clusterer, regressor, classifier, labels];
  expect(await Promise.all(all.map(rowsAnswered))).toEqual([40, 40, 40, 80]);
});
