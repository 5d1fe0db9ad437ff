// Opens a GPUDevice: the browser's, or in Node Dawn's from the npm package `webgpu`. Nothing falls back to a CPU.

import { BackendError } from '@fkm/core/graph';
import { checkOptions, objectOf, type Rule } from '@fkm/core/internal';
import type { GpuDevice } from './gpu.js';

export interface OpenOptions {
  /** An object like `navigator.gpu`, to use in place of the default. */
  readonly gpu?: object;
  /** Flags of Dawn, in Node: `['backend=vulkan', 'adapter=NVIDIA']`. */
  readonly dawn?: readonly string[];
}

/** A device, its adapter, and their origin. */
export interface Opened {
  readonly device: GpuDevice;
  readonly info: Readonly<Record<'vendor' | 'architecture' | 'device' | 'description', string>>;
}

interface Adapter {
  readonly features: Iterable<string>;
  readonly limits: Readonly<Record<string, number>>;
  readonly info: Opened['info'];
  requestDevice(descriptor: object): Promise<GpuDevice>;
}

interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}

interface Dawn {
  create(flags: string[]): object;
  readonly globals: Readonly<Record<string, unknown>>;
}

const scope = 'webgpu';

/** Features that are requested if the adapter has them. */
const wanted = ['shader-f16', 'subgroups', 'timestamp-query'];

/** Limits raised to the adapter's, for searches and tensors. */
const raised = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
  'maxStorageBuffersPerShaderStage',
];

/** The message if there is WebGPU but no GPU. */
export const noAdapter: string =
  'WebGPU found no adapter. In Node it needs a Vulkan loader (Debian: libvulkan1) and a driver that VK_DRIVER_FILES ' +
  "or the system names, or Metal or Direct3D 12; in a browser, a GPU that it allows. Use device: 'wasm' or 'cpu' instead.";

const rules: { readonly [N in keyof OpenOptions]-?: Rule } = {
  gpu: objectOf('an object like navigator.gpu', (value) => 'requestAdapter' in value),
  dawn: {
    allowed: 'a list of texts',
    accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  },
};

let dawn: Gpu | undefined;

/** Dawn, created once for the process: its objects keep the process alive, and its flags apply to all of them. */
async function fromDawn(flags: readonly string[]): Promise<Gpu> {
  if (dawn) return dawn;
  let module: Dawn;
  try {
    module = (await import('webgpu')) as unknown as Dawn;
  } catch (cause) {
    throw new BackendError(
      `WebGPU in Node needs the package webgpu, which did not load (${messageOf(cause)}). Install it: npm install webgpu@0.6.2`,
      { package: 'webgpu', cause },
      scope,
    );
  }
  // GPUBuffer and others, which tfjs expects as globals.
  for (const [name, value] of Object.entries(module.globals)) {
    if (!(name in globalThis))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  dawn = module.create([...flags]) as Gpu;
  return dawn;
}

/** `navigator.gpu`, or Dawn in Node. Errors: OptionError; BackendError if neither exists. */
export async function findGpu(options: OpenOptions = {}): Promise<object> {
  const { gpu, dawn: flags = [] } = checkOptions(options, rules, { call: 'openDevice', scope });
  const host = globalThis as { readonly navigator?: { readonly gpu?: object } };
  const own = gpu ?? host.navigator?.gpu;
  if (own) return own;
  if (typeof process !== 'undefined' && process.versions?.node) return fromDawn(flags);
  throw new BackendError(
    "this browser has no WebGPU (navigator.gpu is missing, also on pages that are not https); use device: 'wasm'.",
    {},
    scope,
  );
}

/** A device with the adapter's limits. Errors: BackendError without WebGPU, adapter, or device. */
export async function openDevice(options: OpenOptions = {}): Promise<Opened> {
  const gpu = (await findGpu(options)) as Gpu;
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new BackendError(noAdapter, {}, scope);
  }
  const features = new Set(adapter.features);
  try {
    const device = await adapter.requestDevice({
      requiredFeatures: wanted.filter((name) => features.has(name)),
      requiredLimits: Object.fromEntries(
        raised.flatMap((name) => (adapter.limits[name] === undefined ? [] : [[name, adapter.limits[name]]])),
      ),
    });
    return { device, info: adapter.info };
  } catch (cause) {
    throw new BackendError(
      `WebGPU's adapter ${adapter.info.description} gave no device: ${messageOf(cause)}`,
      { cause },
      scope,
    );
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
