// One runtime on one device, for values and executables: sessions, uploads, and reads to the host.

import { BATCH, type DType, type Graph, Pool, type TypedArray, trace } from '@fkm/core/graph';
import { toOnnx } from '@fkm/onnx';
import type { Driver, DriverOptions, OrtModule, OrtSession, OrtTensor, SessionOptions } from './driver.js';

/** The end of the last call to a module that takes one call at a time, from any backend on it. */
const ends = new WeakMap<OrtModule, Promise<unknown>>();

type Feeds = Parameters<OrtSession['run']>[0];

/** Sessions that copy tensors to the host, one for each shape of a row. */
const mostReaders = 16;

export class Runtime {
  readonly ort: OrtModule;
  readonly driver: Driver;
  private readonly options: DriverOptions;
  private readonly readers = new Pool<OrtSession>(mostReaders, (session) => this.release(session));

  constructor(ort: OrtModule, driver: Driver, options: DriverOptions) {
    this.ort = ort;
    this.driver = driver;
    this.options = options;
  }

  session(graph: Graph, options: SessionOptions = this.driver.session(this.options)): Promise<OrtSession> {
    return this.inTurn(() => this.ort.InferenceSession.create(toOnnx(graph, this.driver.lowering), options));
  }

  run(session: OrtSession, feeds: Feeds): ReturnType<OrtSession['run']> {
    return this.inTurn(() => session.run(feeds));
  }

  release(session: OrtSession): Promise<void> {
    return this.inTurn(() => session.release());
  }

  private inTurn<T>(call: () => Promise<T>): Promise<T> {
    if (!this.driver.exclusive) return call();
    const result = (ends.get(this.ort) ?? Promise.resolve()).then(call);
    ends.set(
      this.ort,
      result.catch(() => undefined),
    );
    return result;
  }

  /**
   * A copy of the elements. Tensors on a device are read through a session that copies them to the host: in Node, asking such a
   * tensor for its data ends the process.
   */
  async read(tensor: OrtTensor): Promise<TypedArray> {
    if (isOnHost(tensor)) return (await elementsOf(tensor)).slice();
    const dtype = tensor.type as DType;
    const shape = tensor.dims.map((size, axis) => (axis === 0 ? BATCH : size));
    const make = (): Promise<OrtSession> =>
      this.session(
        trace('read', { x: { shape, dtype } }, ({ x }) => ({ y: x })),
        this.driver.download?.(this.options),
      );
    return this.readers.use(`${dtype} ${shape}`, make, async (session) => {
      const { y } = (await this.run(session, { x: tensor })) as { y: OrtTensor };
      const data = (await elementsOf(y)).slice();
      y.dispose();
      return data;
    });
  }

  /** Frees this runtime's own sessions. */
  dispose(): Promise<void> {
    return this.readers.close();
  }
}

export const isOnHost = ({ location }: OrtTensor): boolean => location !== 'gpu-buffer';

/** The elements of a tensor on the host; halves as bits, if the host has a Float16Array for them. */
export async function elementsOf(tensor: OrtTensor): Promise<TypedArray> {
  const data: unknown = await tensor.getData();
  const { Float16Array: Halves } = globalThis as { Float16Array?: new () => Uint16Array };
  if (!Halves || !(data instanceof Halves)) return data as TypedArray;
  return new Uint16Array(data.buffer, data.byteOffset, data.length);
}
