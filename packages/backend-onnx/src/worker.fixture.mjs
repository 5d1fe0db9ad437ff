// Lets a worker thread of Node 20 import the TypeScript beside it.
import { register } from 'tsx/esm/api';

register({ tsconfig: new URL('../tsconfig.json', import.meta.url).pathname });
await import('./worker.fixture.ts');
