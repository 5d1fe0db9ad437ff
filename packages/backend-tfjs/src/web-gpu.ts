// navigator.gpu where there is none yet: Node has WebGPU through the package webgpu, and tfjs asks navigator for it.

import { BackendError } from '@fkm/core/graph';

interface Gpu {
  requestAdapter(options: object): Promise<object | null>;
}

/** Makes sure that there is an adapter, since tfjs takes another backend without a word. Errors: BackendError. */
export async function requireAdapter(): Promise<void> {
  const { findGpu, noAdapter } = await import('@fkm/webgpu');
  const gpu = (await findGpu()) as Gpu;
  if (!(globalThis.navigator as { gpu?: object } | undefined)?.gpu) {
    if (!globalThis.navigator)
      Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
    Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
  }
  if (!(await gpu.requestAdapter({ powerPreference: 'high-performance' }))) {
    throw new BackendError(noAdapter, { device: 'webgpu' }, 'backend-tfjs');
  }
}
