// Provides navigator.gpu in Node from the package webgpu, since tfjs looks for it there.

import { BackendError } from '@fkm/core/graph';

interface Adapter {
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(descriptor: { readonly requiredLimits?: object }): Promise<object>;
}

interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}

/** Checks that there is an adapter: without one, tfjs would silently use another backend. Errors: BackendError. */
export async function requireAdapter(): Promise<void> {
  const { findGpu, noAdapter } = await import('@fkm/webgpu');
  const gpu = (await findGpu()) as Gpu;
  const host = globalThis as { navigator?: { gpu?: object } };
  if (!host.navigator?.gpu) {
    if (!host.navigator) Object.defineProperty(host, 'navigator', { value: {}, configurable: true });
    Object.defineProperty(host.navigator, 'gpu', { value: withManyArrays(gpu), configurable: true });
  }
  if (!(await gpu.requestAdapter({ powerPreference: 'high-performance' }))) {
    throw new BackendError(noAdapter, { device: 'webgpu' }, 'backend-tfjs');
  }
}

const arrays = 'maxStorageBuffersPerShaderStage';

/** Devices that allow kernels as many arrays as the adapter does; tfjs keeps the default of 8, and Adam needs more. */
const withManyArrays = (gpu: Gpu): Gpu => ({
  async requestAdapter(options) {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) return null;
    const request = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = (descriptor) =>
      request({
        ...descriptor,
        requiredLimits: { ...descriptor.requiredLimits, [arrays]: adapter.limits[arrays] },
      });
    return adapter;
  },
});
