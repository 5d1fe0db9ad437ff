// How every published package is built: one ES module with its declarations. Dependencies and peers stay
// outside (tsup reads them from package.json).
import type { Options } from 'tsup';

export const library: Options = {
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'es2022',
  dts: true,
  sourcemap: true,
  clean: true,
  // Off, since a bundler for browsers can only tell a built-in module by its prefix.
  removeNodeProtocol: false,
};

/** A package that runs anywhere: an import of a Node built-in fails its build. */
export const isomorphic: Options = { ...library, platform: 'neutral' };
