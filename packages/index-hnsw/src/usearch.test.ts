import { describeEngine } from './conformance.js';

describeEngine('usearch', { engine: 'usearch' }, ['euclidean', 'cosine']);
