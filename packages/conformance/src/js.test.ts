import { jsBackend } from '@fkm/core';
import { describeBackend, describeEstimators } from './index.js';

describeBackend('js', async () => jsBackend());
describeBackend('js float64', async () => jsBackend({ precision: 'float64' }));
describeEstimators('js', async () => jsBackend());
describeEstimators('js float64', async () => jsBackend({ precision: 'float64' }));
