import { describeBackend, describeEstimators, describeTransfers } from '@fkm/conformance';
import '@tensorflow/tfjs-backend-webgl';
import { env } from '@tensorflow/tfjs-core';
import { tfjsBackend } from './index.js';
import { onWebGl } from './known-gaps.js';

// Otherwise tfjs refuses a WebGL without a GPU, and computes what is small on the CPU.
env().set('SOFTWARE_WEBGL_ENABLED', true);
env().set('WEBGL_CPU_FORWARD', false);

const make = () => tfjsBackend({ device: 'webgl' });

describeBackend('tfjs webgl', make, { knownGaps: onWebGl });
describeEstimators('tfjs webgl', make, { thorough: false });
describeTransfers('tfjs webgl', make);
