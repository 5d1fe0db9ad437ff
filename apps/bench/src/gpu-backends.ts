// The backends of GPU benches by name, with counted transfers between host and device.

import type { Backend } from '@fkm/core';

const backends: Readonly<Record<string, () => Promise<Backend>>> = {
  'tfjs-webgpu': async () => (await import('@fkm/backend-tfjs')).tfjsBackend({ device: 'webgpu' }),
  'onnx-webgpu': async () => (await import('@fkm/backend-onnx')).onnxBackend({ device: 'webgpu' }),
  'onnx-cuda': async () => (await import('@fkm/backend-onnx')).onnxBackend({ device: 'cuda' }),
  'onnx-cpu': async () => (await import('@fkm/backend-onnx')).onnxBackend(),
};

/** Errors: Error for an unknown name; BackendError. */
export async function openGpuBackend(name: string): Promise<Backend> {
  const open = backends[name];
  if (!open) throw new Error(`no backend ${name}; there are ${Object.keys(backends)}.`);
  return open();
}

/** Number and bytes of arrays transferred to and from the device. */
export interface Transfers {
  up: number;
  down: number;
  bytes: number;
}

const bytesOf = (shape: readonly number[]): number => 4 * shape.reduce((p, q) => p * q, 1);

/**
 * A backend with counted transfers: uploads and reads; for runtimes that keep arrays on the host, all inputs and outputs of runs.
 */
export function counted(backend: Backend): { backend: Backend; transfers: Transfers } {
  const transfers: Transfers = { up: 0, down: 0, bytes: 0 };
  const cross = (way: 'up' | 'down', { shape }: { shape: readonly number[] }): void => {
    transfers[way]++;
    transfers.bytes += bytesOf(shape);
  };
  const everyRun = backend.flags.memory === 'host';
  return {
    transfers,
    backend: {
      ...backend,
      upload: (array) => {
        if (!everyRun) cross('up', array);
        return backend.upload(array);
      },
      async compile(graph) {
        const executable = await backend.compile(graph);
        return {
          async run(inputs) {
            const outputs = await executable.run(inputs);
            if (everyRun) {
              for (const value of inputs) cross('up', value);
              for (const value of outputs) cross('down', value);
            } else {
              for (const value of outputs) {
                const read = value.read.bind(value);
                value.read = () => {
                  cross('down', value);
                  return read();
                };
              }
            }
            return outputs;
          },
          dispose: () => executable.dispose(),
        };
      },
    },
  };
}
