// Measures how long a backend spends inside of its runtime, by wrapping its calls.

import type { OrtModule } from '@fkm/backend-onnx';
import type { Backend } from '@fkm/core';
import { type BackendName, openBackend } from './backends.ts';

/** Adds up the time of what it runs. */
export class Clock {
  milliseconds = 0;

  async time<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.milliseconds += performance.now() - start;
    }
  }
}

/** onnxruntime with every `session.run` timed; our own wrapping of tensors is not included. */
function timedRuntime(ort: OrtModule, clock: Clock): OrtModule {
  const create: OrtModule['InferenceSession']['create'] = async (model, options) => {
    const session = await ort.InferenceSession.create(model, options);
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      run: (feeds) => clock.time(() => session.run(feeds)),
      release: () => session.release(),
    };
  };
  return { Tensor: ort.Tensor, InferenceSession: { create } };
}

/** A backend with every `Executable.run` timed. */
function timedExecutables(backend: Backend, clock: Clock): Backend {
  return {
    ...backend,
    async compile(graph) {
      const executable = await backend.compile(graph);
      return {
        run: (inputs) => clock.time(() => executable.run(inputs)),
        dispose: () => executable.dispose(),
      };
    },
  };
}

/** A backend with its runtime timed. */
export async function openTimed(name: BackendName, clock: Clock): Promise<Backend> {
  if (name !== 'onnx') return timedExecutables(await openBackend(name), clock);
  const { onnxBackend } = await import('@fkm/backend-onnx');
  return onnxBackend({ ort: timedRuntime(await import('onnxruntime-node'), clock) });
}
