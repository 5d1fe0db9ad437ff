// One driver for each device: how its packages are loaded and started, and the quirks of its kernels.

import { BackendError, cut } from '@fkm/core/graph';
import { Device, type Quirks } from './device.js';
import type { GpuKernels } from './kernel-types.js';
import { packagesOf, versionsOf } from './packages.js';
import type { TfjsCore, TfjsStorage } from './tfjs.js';
import { requireAdapter } from './web-gpu.js';

/** The supported devices. 'node' is an installed tfjs-node-gpu or tfjs-node. */
export type DeviceName = 'cpu' | 'wasm' | 'webgl' | 'webgpu' | 'node';

/**
 * Location of the wasm binaries: the URL of their folder, or a URL for each of the three files of
 * `@tensorflow/tfjs-backend-wasm/dist`.
 */
export type WasmPaths = string | Readonly<Record<string, string>>;

export interface DriverOptions {
  readonly tf?: TfjsCore;
  readonly wasmPaths?: WasmPaths;
}

interface Driver {
  readonly quirks: Quirks;
  /** The device's name in tfjs. Default: the same name. */
  readonly backend?: string;
  /** Imports the package that registers the device; returns its namespace, if it brings one. */
  load(options: DriverOptions): Promise<TfjsCore | undefined>;
  /** Prepares the storage before its first use. */
  prepare?(storage: TfjsStorage): void;
  /** Our own kernels. */
  kernels?(storage: TfjsStorage): Promise<GpuKernels>;
}

const scope = 'backend-tfjs';

async function load<M>(name: string, device: DeviceName, importer: () => Promise<M>): Promise<M> {
  try {
    return await importer();
  } catch (error) {
    const reason = cut(error instanceof Error ? error.message : String(error));
    throw new BackendError(
      `device '${device}' needs ${name}, which did not load (${reason}). Install it: ` +
        `npm install @tensorflow/tfjs-core@4.22.0 ${versionsOf(device)}`,
      { package: name, device },
      scope,
    );
  }
}

/** Quirks of devices without host memory: broadcasting is fast everywhere, and values cannot be read synchronously. */
const onGpu: Quirks = {
  castAliases: false,
  readAliases: true,
  slowBroadcast: false,
  maxRank: 4,
  losesNaN: true,
  topKLosesTies: false,
  packsMatrices: false,
  fractions: false,
  dirtyPadding: false,
  remote: true,
};

/** All devices. */
export const drivers: { readonly [D in DeviceName]: Driver } = {
  cpu: {
    quirks: {
      castAliases: true,
      readAliases: true,
      slowBroadcast: false,
      maxRank: Number.POSITIVE_INFINITY,
      losesNaN: false,
      topKLosesTies: true,
      packsMatrices: false,
      fractions: false,
      dirtyPadding: false,
      remote: false,
    },
    async load() {
      await load('@tensorflow/tfjs-backend-cpu', 'cpu', () => import('@tensorflow/tfjs-backend-cpu'));
      return undefined;
    },
    prepare(storage) {
      // Otherwise the first write recommends tfjs-node on the console.
      (storage as { firstUse?: boolean }).firstUse = false;
    },
  },
  wasm: {
    quirks: {
      castAliases: false,
      readAliases: false,
      slowBroadcast: true,
      maxRank: 6,
      losesNaN: true,
      topKLosesTies: false,
      packsMatrices: true,
      fractions: false,
      dirtyPadding: false,
      remote: false,
    },
    async load({ wasmPaths }) {
      const { setWasmPaths } = await load(
        '@tensorflow/tfjs-backend-wasm',
        'wasm',
        () => import('@tensorflow/tfjs-backend-wasm'),
      );
      // In Node, tfjs finds the files next to its own.
      if (wasmPaths !== undefined) setWasmPaths(wasmPaths as Parameters<typeof setWasmPaths>[0]);
      return undefined;
    },
  },
  webgl: {
    // Pixels pack numbers two by two.
    quirks: { ...onGpu, fractions: true, dirtyPadding: true },
    async load() {
      await load('@tensorflow/tfjs-backend-webgl', 'webgl', () => import('@tensorflow/tfjs-backend-webgl'));
      return undefined;
    },
  },
  webgpu: {
    quirks: onGpu,
    async load() {
      // tfjs reads navigator.gpu when it is imported.
      await requireAdapter();
      await load(
        '@tensorflow/tfjs-backend-webgpu',
        'webgpu',
        () => import('@tensorflow/tfjs-backend-webgpu'),
      );
      return undefined;
    },
    async kernels(storage) {
      const { gpuKernelsOn } = await import('./gpu-kernels.js');
      return gpuKernelsOn(storage);
    },
  },
  node: {
    backend: 'tensorflow',
    quirks: { ...onGpu, maxRank: 6 },
    load: loadTfjsNode,
  },
};

/** tfjs-node-gpu if installed, else tfjs-node. Their installers download libtensorflow, so neither is a dependency. */
async function loadTfjsNode(): Promise<TfjsCore> {
  const reasons: string[] = [];
  for (const name of packagesOf('node')) {
    try {
      return (await import(/* @vite-ignore */ name)) as TfjsCore;
    } catch (error) {
      reasons.push(`${name}: ${cut(error instanceof Error ? error.message : String(error))}`);
    }
  }
  throw new BackendError(
    `device 'node' needs @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node, and neither loads (${reasons.join('; ')}). ` +
      'Install one: npm install @tensorflow/tfjs-node-gpu@4.22.0',
    { package: '@tensorflow/tfjs-node', device: 'node' },
    scope,
  );
}

let starting: Promise<unknown> = Promise.resolve();

/**
 * Starts the device. Only one start runs at a time, since tfjs drops a start that is overtaken by another. Errors: BackendError.
 */
export function start(name: DeviceName, options: DriverOptions): Promise<Device> {
  const started = starting.then(() => startNow(name, options));
  starting = started.catch(() => undefined);
  return started;
}

/** The remedy if no package has registered the backend. */
function unregistered(name: DeviceName, backend: string, handedIn: boolean): string {
  const remedy =
    name === 'webgl' && !handedIn
      ? "it needs a browser; use 'wasm' or 'webgpu' elsewhere."
      : `import ${packagesOf(name).join(' or ')} where it resolves the same @tensorflow/tfjs-core.`;
  return `${handedIn ? 'the tfjs that was handed in' : '@tensorflow/tfjs-core'} knows no backend '${backend}': ${remedy}`;
}

async function startNow(name: DeviceName, options: DriverOptions): Promise<Device> {
  const driver = drivers[name];
  const backend = driver.backend ?? name;
  const needsDriver = (tf: TfjsCore | undefined): boolean =>
    !tf || options.wasmPaths !== undefined || !tf.findBackendFactory(backend);
  const brought = needsDriver(options.tf) ? await driver.load(options) : undefined;
  const tf: TfjsCore =
    options.tf ??
    brought ??
    (await load('@tensorflow/tfjs-core', name, () => import('@tensorflow/tfjs-core')));
  if (!tf.findBackendFactory(backend)) {
    throw new BackendError(unregistered(name, backend, options.tf !== undefined), { device: name }, scope);
  }
  // A backend only starts by being made current; the previous one is restored afterwards.
  const before = tf.getBackend();
  const active = (await tf.setBackend(backend)) ? tf.getBackend() : '';
  const storage = tf.findBackend(backend);
  if (before && before !== backend) await tf.setBackend(before);
  if (active !== backend || !storage) {
    throw new BackendError(
      `tfjs could not start '${name}' (active: ${active || 'none'}); its console output says why. ` +
        "For 'wasm' in a browser, pass wasmPaths; 'webgl' needs a browser with a GPU.",
      { device: name, active },
      scope,
    );
  }
  driver.prepare?.(storage);
  return new Device(name, tf, storage, driver.quirks, backend, await driver.kernels?.(storage));
}
