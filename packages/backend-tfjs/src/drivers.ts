// One driver a device: how its packages are loaded and started, and what its kernels get wrong.

import { BackendError } from '@fkm/core/graph';
import { Device, type Quirks } from './device.js';
import type { TfjsCore, TfjsStorage } from './tfjs.js';

/** Devices of this version. */
export type DeviceName = 'cpu' | 'wasm';

/** Where the wasm binaries are: a folder's URL, or a URL for each of the three files of `@tensorflow/tfjs-backend-wasm/dist`. */
export type WasmPaths = string | Readonly<Record<string, string>>;

export interface DriverOptions {
  readonly tf?: TfjsCore;
  readonly wasmPaths?: WasmPaths;
}

interface Driver {
  readonly quirks: Quirks;
  /** Imports the package that registers the device. */
  load(options: DriverOptions): Promise<void>;
  /** Prepares the storage before its first use. */
  prepare?(storage: TfjsStorage): void;
}

const scope = 'backend-tfjs';

async function load<M>(name: string, device: DeviceName, importer: () => Promise<M>): Promise<M> {
  try {
    return await importer();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BackendError(
      `device '${device}' needs ${name}, which did not load (${reason}). Install it: ` +
        `npm install @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-${device}@4.22.0`,
      { package: name, device },
      scope,
    );
  }
}

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
    },
    async load() {
      await load('@tensorflow/tfjs-backend-cpu', 'cpu', () => import('@tensorflow/tfjs-backend-cpu'));
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
    },
    async load({ wasmPaths }) {
      const { setWasmPaths } = await load(
        '@tensorflow/tfjs-backend-wasm',
        'wasm',
        () => import('@tensorflow/tfjs-backend-wasm'),
      );
      // In Node tfjs finds the files beside its own.
      if (wasmPaths !== undefined) setWasmPaths(wasmPaths as Parameters<typeof setWasmPaths>[0]);
    },
  },
};

let starting: Promise<unknown> = Promise.resolve();

/** The device, started. One start at a time: tfjs drops a start that another one overtakes. Errors: BackendError. */
export function start(name: DeviceName, options: DriverOptions): Promise<Device> {
  const started = starting.then(() => startNow(name, options));
  starting = started.catch(() => undefined);
  return started;
}

async function startNow(name: DeviceName, options: DriverOptions): Promise<Device> {
  const driver = drivers[name];
  const tf: TfjsCore =
    options.tf ?? (await load('@tensorflow/tfjs-core', name, () => import('@tensorflow/tfjs-core')));
  if (!options.tf || options.wasmPaths !== undefined || !tf.findBackendFactory(name))
    await driver.load(options);
  if (!tf.findBackendFactory(name)) {
    throw new BackendError(
      `the tfjs that was handed in knows no backend '${name}': import '@tensorflow/tfjs-backend-${name}' ` +
        'where it resolves the same @tensorflow/tfjs-core.',
      { device: name },
      scope,
    );
  }
  // Only activation starts a backend; whatever was active before is so again afterwards.
  const before = tf.getBackend();
  const active = (await tf.setBackend(name)) && tf.getBackend() === name;
  const storage = tf.findBackend(name);
  if (before && before !== name) await tf.setBackend(before);
  if (!active || !storage) {
    throw new BackendError(
      `tfjs could not start '${name}' (active: ${tf.getBackend() || 'none'}); its console output says why. ` +
        "For 'wasm' in a browser, pass wasmPaths.",
      { device: name, active: tf.getBackend() },
      scope,
    );
  }
  driver.prepare?.(storage);
  return new Device(name, tf, storage, driver.quirks);
}
