import { describeEngine } from './conformance.js';

describeEngine('portable with SIMD', { simd: true }, ['euclidean', 'cosine', 'l1']);
describeEngine('portable in JavaScript', { simd: false }, ['euclidean', 'cosine', 'l1'], 'pairs');
