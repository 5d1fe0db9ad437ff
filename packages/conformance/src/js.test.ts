import { jsBackend } from '@fkm/core';
import { describeBackend } from './index.js';

describeBackend('js', async () => jsBackend());
describeBackend('js float64', async () => jsBackend({ precision: 'float64' }));
