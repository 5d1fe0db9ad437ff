// One runtime on one device, as values and executables see it: sessions, uploads, and the way back to the host.

import { BATCH, type DType, type Graph, type Shape, type TypedArray, trace } from '@fkm/core/graph';
import { toOnnx } from '@fkm/onnx';
import type { Driver, DriverOptions, OrtModule, OrtSession, OrtTensor } from './driver.js';

export class Runtime {
  readonly ort: OrtModule;
  readonly driver: Driver;
  private readonly options: DriverOptions;
  private readonly readers = new Map<string, Promise<OrtSession>>();

  constructor(ort: OrtModule, driver: Driver, options: DriverOptions) {
    this.ort = ort;
    this.driver = driver;
    this.options = options;
  }

  session(graph: Graph): Promise<OrtSession> {
    return this.ort.InferenceSession.create(toOnnx(graph), this.driver.session(this.options));
  }

  /**
   * A copy of the elements. Tensors on a device go through a session that repeats them and leaves its result on the host:
   * in Node, asking such a tensor for its data ends the process.
   */
  async read(tensor: OrtTensor): Promise<TypedArray> {
    if (tensor.location !== 'gpu-buffer') return ((await tensor.getData()) as TypedArray).slice();
    const session = await this.reader(tensor.type as DType, tensor.dims);
    const { y } = (await session.run({ x: tensor })) as { y: OrtTensor };
    const data = ((await y.getData()) as TypedArray).slice();
    y.dispose();
    return data;
  }

  private reader(dtype: DType, dims: Shape): Promise<OrtSession> {
    const shape = dims.map((size, axis) => (axis === 0 ? BATCH : size));
    const key = `${dtype} ${shape}`;
    let session = this.readers.get(key);
    if (!session) {
      const graph = trace('read', { x: { shape, dtype } }, ({ x }) => ({ y: x }));
      const options = this.driver.download?.() ?? this.driver.session(this.options);
      session = this.ort.InferenceSession.create(toOnnx(graph), options);
      this.readers.set(key, session);
      session.catch(() => this.readers.delete(key));
    }
    return session;
  }

  /** Frees the sessions of this runtime's own. */
  async dispose(): Promise<void> {
    const readers = await Promise.allSettled(this.readers.values());
    this.readers.clear();
    for (const reader of readers) if (reader.status === 'fulfilled') await reader.value.release();
  }
}
