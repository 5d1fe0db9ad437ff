import { defineConfig } from 'tsup';
import { isomorphic } from '../../tsup.base.ts';

export default defineConfig({
  ...isomorphic,
  entry: ['src/index.ts', 'src/graph/index.ts', 'src/deploy/index.ts', 'src/internal/index.ts'],
});
