import { jsBackend } from '@fkm/core';
import { subjects } from './estimators/table.js';
import { describeBackend, describeEstimators } from './index.js';

describeBackend('js', async () => jsBackend());
// The float64 reference is the oracle itself: its numbers need no check, its caching, errors and memory do.
describeBackend('js float64', async () => jsBackend({ precision: 'float64' }), { thorough: false });
describeEstimators('js', async () => jsBackend());

// States and checkpoints are float32, so what was trained in float64 is rounded there.
const rounded = 'kept as float32';
describeEstimators('js float64', async () => jsBackend({ precision: 'float64' }), {
  thorough: false,
  knownGaps: Object.fromEntries(
    subjects().flatMap(({ name }) => [
      [`${name}: a loaded model predicts the same bits and goes on to the same bits`, rounded],
      [`${name}: frozen prototypes stay in both phases`, rounded],
    ]),
  ),
});
