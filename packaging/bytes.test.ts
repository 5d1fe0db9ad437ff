// What a user's bundle grows by, per story: the built packages, minified, tree-shaken and gzipped. A ceiling is
// raised only in the commit that needs it.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

interface Story {
  readonly source: string;
  /** In bytes, gzipped. */
  readonly ceiling: number;
  /** Not counted: runtimes, and packages that have a story of their own. */
  readonly external?: readonly string[];
}

const runtimes = ['onnxruntime-*', '@tensorflow/*'];

const stories: Readonly<Record<string, Story>> = {
  'core: predict only': {
    source: `
      import { FastKMeansRegressor, jsBackend } from '@fkm/core';
      export async function predict(bytes, X) {
        const model = await FastKMeansRegressor.load(bytes, { backend: jsBackend() });
        return model.predict(X);
      }`,
    ceiling: 96_800,
  },
  'core: train': {
    source: `
      import { FastKMeansRegressor, jsBackend } from '@fkm/core';
      export async function train(X, y) {
        const model = new FastKMeansRegressor({ backend: jsBackend(), kTargets: 20, kFeatures: 20 });
        await model.fit(X, y);
        await model.finetune(X, y, { epochs: 60 });
        return model.save();
      }`,
    ceiling: 96_800,
  },
  'onnx: lower a graph': {
    source: `export { toOnnx } from '@fkm/onnx';`,
    ceiling: 29_400,
    external: ['@fkm/core'],
  },
  'onnx: export a model': {
    source: `export { exportOnnx } from '@fkm/onnx';`,
    ceiling: 32_700,
    external: ['@fkm/core'],
  },
  'onnx: import a model': {
    source: `export { importOnnx } from '@fkm/onnx';`,
    ceiling: 35_100,
    external: ['@fkm/core'],
  },
  'backend-onnx: own code': {
    source: `export { onnxBackend } from '@fkm/backend-onnx';`,
    ceiling: 5_200,
    external: ['@fkm/core', '@fkm/onnx', '@fkm/webgpu', ...runtimes],
  },
  'backend-tfjs: own code': {
    source: `export { tfjsBackend } from '@fkm/backend-tfjs';`,
    ceiling: 9_960,
    external: ['@fkm/core', '@fkm/webgpu', ...runtimes],
  },
  'webgpu: every kernel': {
    source: `export * from '@fkm/webgpu';`,
    ceiling: 18_900,
    external: ['@fkm/core'],
  },
  'index-hnsw: own code': {
    source: `export { hnswIndex } from '@fkm/index-hnsw';`,
    ceiling: 13_050,
    external: ['@fkm/core'],
  },
  'data: every source': {
    source: `export * from '@fkm/data';`,
    ceiling: 21_850,
    external: ['@fkm/core', 'apache-arrow', 'hyparquet', 'hyparquet-compressors', 'lz4js'],
  },
  'data: csv, arrow and iterables': {
    source: `export { arrow, csv, fromIterable } from '@fkm/data';`,
    ceiling: 13_200,
    external: ['@fkm/core', 'apache-arrow', 'hyparquet', 'hyparquet-compressors', 'lz4js'],
  },
};

/** Bundles for a browser: a Node built-in among the imports fails the story. */
async function gzippedBytes({ source, external = [] }: Story): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    external: [...external],
    write: false,
    tsconfigRaw: {}, // Without the workspace's paths to sources: what is measured is what is published.
    logLevel: 'silent',
  });
  return gzipSync(outputFiles[0]!.contents, { level: 9 }).length;
}

describe('bytes, gzipped', () => {
  it.each(Object.entries(stories))('%s', async (_, story) => {
    const bytes = await gzippedBytes(story);
    expect(bytes, 'bytes of a story that bundles nothing').toBeGreaterThan(200);
    expect(bytes).toBeLessThanOrEqual(story.ceiling);
  });
});
