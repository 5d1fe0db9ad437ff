// navigator.gpu where there is none yet: Node has WebGPU through the package webgpu, and tfjs asks navigator for it.

import { BackendError } from '@fkm/core/graph';

interface Gpu {
  requestAdapter(options: object): Promise<object | null>;
}

/** Makes sure that there is an adapter, since tfjs takes another backend without a word. Errors: BackendError. */
export async function requireAdapter(): Promise<void> {
  const { findGpu, noAdapter } = await import('@fkm/webgpu');
  const gpu = (await findGpu()) as Gpu;
  const host = globalThis as { navigator?: { gpu?: object } };
  if (!host.navigator?.gpu) {
    if (!host.navigator) Object.defineProperty(host, 'navigator', { value: {}, configurable: true });
    Object.defineProperty(host.navigator, 'gpu', { value: gpu, configurable: true });
  }
  if (!(await gpu.requestAdapter({ powerPreference: 'high-performance' }))) {
    throw new BackendError(noAdapter, { device: 'webgpu' }, 'backend-tfjs');
  }
}
