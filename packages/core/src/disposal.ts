// The symbols that `using` and `await using` call on models and backends, also on runtimes that lack them.

// TypeScript gets these symbols from lib 'esnext.disposable' or @types/node. Our declarations need neither and agree with both.
declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }
}

// The description under which compilers of `using` look for the symbol where the runtime has none.
const known = <N extends 'dispose' | 'asyncDispose'>(name: N): SymbolConstructor[N] =>
  Symbol[name] ?? (Symbol.for(`Symbol.${name}`) as SymbolConstructor[N]);

export const asyncDisposeSymbol: typeof Symbol.asyncDispose = /* @__PURE__ */ known('asyncDispose');
export const disposeSymbol: typeof Symbol.dispose = /* @__PURE__ */ known('dispose');

/** Objects that are disposed of by `dispose()`, by `await using`, or by `using`, which does not wait. */
export interface Disposing {
  dispose(): Promise<void>;
  [asyncDisposeSymbol](): Promise<void>;
  [disposeSymbol](): void;
}

/** Base of classes whose `dispose()` serves `using` and `await using`. */
export const DisposingBase: abstract new () => Disposing = /* @__PURE__ */ (() => {
  abstract class Base implements Disposing {
    abstract dispose(): Promise<void>;

    [asyncDisposeSymbol](): Promise<void> {
      return this.dispose();
    }

    [disposeSymbol](): void {
      void this.dispose();
    }
  }
  return Base;
})();

/** Adds the methods that `using` and `await using` call to the object itself. */
export const disposing = <T extends Disposing>(object: Omit<T, keyof Disposing> & Pick<T, 'dispose'>): T =>
  ({
    ...object,
    [asyncDisposeSymbol]: () => object.dispose(),
    [disposeSymbol]: () => void object.dispose(),
  }) as unknown as T;
