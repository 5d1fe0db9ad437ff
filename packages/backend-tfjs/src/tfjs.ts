// The parts of tfjs that are used, as our own types: the published declarations must not depend on a package that may be missing.

/** A tensor as kernels see it: a key into the storage of a tfjs backend, with a shape and a dtype. */
export interface TensorInfo {
  readonly dataId: object;
  readonly shape: number[];
  readonly dtype: string;
}

/** The memory of a tfjs backend (its KernelBackend). References to a `dataId` are counted. */
export interface TfjsStorage {
  write(values: object, shape: number[], dtype: string): object;
  read(dataId: object): Promise<unknown>;
  readSync(dataId: object): unknown;
  incRef(dataId: object): void;
  disposeData(dataId: object): boolean;
  numDataIds(): number;
}

export type Attributes = Readonly<Record<string, unknown>>;

/** An op of a tfjs backend: from tensors and attributes to new tensors, each with its own reference. */
export type KernelFunc = (call: {
  inputs: object;
  attrs: Attributes;
  backend: TfjsStorage;
}) => TensorInfo | TensorInfo[];

/** A registered kernel. */
export interface TfjsKernel {
  /** A `KernelFunc`; declared as `never`, since tfjs types each kernel's parameters separately. */
  kernelFunc(call: never): TensorInfo | TensorInfo[];
}

/** What a passed namespace of `@tensorflow/tfjs-core` (or `@tensorflow/tfjs`) has to offer. */
export interface TfjsCore {
  getKernel(kernelName: string, backendName: string): TfjsKernel | undefined;
  getBackend(): string;
  setBackend(backendName: string): Promise<boolean>;
  findBackend(name: string): TfjsStorage | null;
  findBackendFactory(name: string): unknown;
}
