import { defineConfig } from 'tsup';
import { isomorphic } from '../../tsup.base.ts';

export default defineConfig(isomorphic);
