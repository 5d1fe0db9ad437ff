// navigator.gpu where there is none yet: Node has WebGPU through the package webgpu, and tfjs asks navigator for it.

import { BackendError } from '@fkm/core/graph';

interface Adapter {
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(descriptor: { readonly requiredLimits?: object }): Promise<object>;
}

interface Gpu {
  requestAdapter(options: object): Promise<Adapter | null>;
}

/** Makes sure that there is an adapter, since tfjs takes another backend without a word. Errors: BackendError. */
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

/** Devices whose kernels may read and write as many arrays as the adapter allows, which tfjs does not ask for: 8 are less than Adam takes. */
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
