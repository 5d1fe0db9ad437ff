// Gathers the small equations of a graph into loops: composites named 'loop', each compiled to one kernel, whose bodies are the
// equations they replace. A training step has some hundred equations, and launching most of them costs the host more time than
// running them costs the GPU.

import { type Equation, type Graph, inlineComposites, type Var, verify } from '@fkm/core/graph';
import { type Count, sameCount } from './indices.js';
import { isInlined, isView, type Loop, loopOf, placeIn, readBy, result, wholeOf } from './sizes.js';
import { thinProducts } from './thin.js';

/** The name of the composites. */
export const loopName = 'loop';

/** Most equations in a kernel: compile time grows faster than linearly. */
const mostEquations = 96;

type Columns = Loop & { readonly over: 'columns' };

/** Equations that run in one kernel. */
interface Group {
  /** What the kernel loops over; undefined for an equation that is not a loop. */
  readonly loop: Loop | undefined;
  /** Elements in a row, once something is reduced. */
  readonly width: number | undefined;
  readonly equations: readonly Equation[];
  /** Values computed inside: one for each element ('place') or one for each row. */
  readonly levels: ReadonlyMap<number, 'place' | 'row'>;
}

/** The graph with loops of at most `mostArrays` operands and results. Composites that are not `kept` are inlined first. */
export function fuseLoops(
  graph: Graph,
  mostArrays: number,
  kept: (equation: Equation<'composite'>) => boolean,
): Graph {
  const flat = thinProducts(inlineComposites(graph, kept));
  const groups = new Grouping(flat, mostArrays).groups();
  return verify({ ...flat, equations: new Emission(flat).emit(groups) });
}

/** Resolves values through reshapes. */
class Roots {
  readonly made = new Map<number, Equation>();

  constructor({ equations }: Graph) {
    for (const equation of equations) for (const v of equation.outputs) this.made.set(v.id, equation);
  }

  of(v: Var): Var {
    const equation = this.made.get(v.id);
    return equation && isView(equation) ? this.of(equation.inputs[0] as Var) : v;
  }

  /** Whether readers inline the value into their code. */
  isInlined(v: Var): boolean {
    const equation = this.made.get(v.id);
    return equation !== undefined && isInlined(equation);
  }
}

/** Puts every equation into the first group in which all its operands are available. */
class Grouping {
  private readonly roots: Roots;
  private readonly equations: readonly Equation[];
  /** The readers of a value, ignoring views; null stands for an output of the graph. */
  private readonly readers = new Map<number, (Equation | null)[]>();
  private readonly list: Group[] = [];
  private readonly placeOfRoot = new Map<number, number>();
  private readonly mostArrays: number;

  constructor(graph: Graph, mostArrays: number) {
    this.mostArrays = mostArrays;
    this.roots = new Roots(graph);
    this.equations = graph.equations.filter((equation) => !isView(equation) && !isInlined(equation));
    const read = (v: Var, reader: Equation | null): void => {
      const { id } = this.roots.of(v);
      this.readers.set(id, [...(this.readers.get(id) ?? []), reader]);
    };
    for (const equation of this.equations) for (const v of equation.inputs) read(v, equation);
    for (const { variable } of graph.outputs) read(variable, null);
  }

  groups(): readonly Group[] {
    for (const unit of this.units()) {
      if (!this.place(unit)) for (const equation of unit) this.place([equation], true);
    }
    return this.list;
  }

  /**
   * Equations together with those that have no other reader and as many elements. They are placed together, since their operands
   * may be available much earlier.
   */
  private units(): readonly (readonly Equation[])[] {
    const units = new Map<Equation, Equation[]>();
    for (const equation of this.equations) {
      const own: Equation[] = [];
      const loop = loopOf(equation);
      for (const v of equation.inputs) {
        const root = this.roots.of(v);
        const maker = this.roots.made.get(root.id);
        const unit = maker && units.get(maker);
        const from = maker && loopOf(maker);
        if (!unit || from?.over !== 'elements' || !loop) continue;
        if (!sameCount(from.count, wholeOf(loop))) continue;
        if (this.readers.get(root.id)?.some((reader) => reader !== equation)) continue;
        if (loop.over === 'elements' && placeIn(equation, v) !== 'i') continue;
        own.push(...unit);
        units.delete(maker);
      }
      units.set(equation, [...own, equation]);
    }
    return [...units.values()];
  }

  /** Whether the equations were placed; `alone`, they always are. */
  private place(unit: readonly Equation[], alone = unit.length === 1): boolean {
    const loop = loopOf(unit[unit.length - 1] as Equation) ?? undefined;
    const made = new Set(unit.map((equation) => result(equation).id));
    const groupOf = (v: Var): number => {
      const { id } = this.roots.of(v);
      return made.has(id) ? -1 : (this.placeOfRoot.get(id) ?? -1);
    };
    const earliest = Math.max(0, ...unit.flatMap((equation) => equation.inputs.map(groupOf)));
    for (let at = earliest; loop && at < this.list.length; at++) {
      const joined = this.joined(this.list[at] as Group, unit);
      if (joined) {
        this.settle(at, joined, unit);
        return true;
      }
    }
    const at = this.list.length;
    const fresh: Group = { loop, width: undefined, equations: [], levels: new Map() };
    const joined = loop && this.joined(fresh, unit);
    if (!joined && !alone) return false;
    // A single equation with too many arrays is not a loop.
    this.settle(at, joined ?? { ...fresh, loop: undefined, equations: unit }, unit);
    return true;
  }

  private settle(at: number, group: Group, unit: readonly Equation[]): void {
    this.list[at] = group;
    for (const { outputs } of unit) for (const v of outputs) this.placeOfRoot.set(v.id, at);
  }

  private levelIn(group: Group, loop: Loop): 'place' | 'row' | null {
    const own = group.loop;
    if (!own) return null;
    const whole = sameCount(wholeOf(loop), wholeOf(own));
    if (loop.over === 'columns') return own.over === 'columns' && sameColumns(own, loop) ? 'row' : null;
    if (own.over === 'columns') return whole && loop.over === 'elements' ? 'place' : null;
    if (loop.over === 'rows') return whole && (group.width ?? loop.width) === loop.width ? 'row' : null;
    if (whole) return 'place';
    const { width } = group;
    return width !== undefined && sameCount(times(loop.count, width), own.count) ? 'row' : null;
  }

  /** The group extended by the equations; null if they do not fit. */
  private joined(group: Group, unit: readonly Equation[]): Group | null {
    if (group.equations.length > 0 && group.equations.length + unit.length > mostEquations) return null;
    // Values that are summed over columns are not stored.
    const last = loopOf(unit[unit.length - 1] as Equation);
    if (group.loop?.over === 'columns' && last?.over !== 'columns') return null;
    let next = group;
    for (const equation of unit) {
      const loop = loopOf(equation);
      const level = loop && this.levelOf(next, equation, loop);
      if (!level) return null;
      next = {
        loop: next.loop,
        width: loop.over === 'rows' ? loop.width : next.width,
        equations: [...next.equations, equation],
        levels: new Map([...next.levels, [result(equation).id, level]]),
      };
    }
    return this.arrays(next.equations) <= this.mostArrays ? next : null;
  }

  /** What an equation would compute in the group; null if it cannot join. */
  private levelOf(group: Group, equation: Equation, loop: Loop): 'place' | 'row' | null {
    const levelOf = (v: Var): 'place' | 'row' | undefined => group.levels.get(this.roots.of(v).id);
    const level = this.levelIn(group, loop);
    for (const v of level ? equation.inputs : []) {
      const own = levelOf(v);
      if (!own) continue;
      if (loop.over !== 'elements') {
        if (own !== 'place') return null;
        continue;
      }
      const from = placeIn(equation, v);
      const fits = own === level ? from === 'i' : level === 'place' && isRowOf(from, group.width, loop.count);
      if (!fits) return null;
    }
    return level;
  }

  /** Number of operands and results of these equations together. */
  private arrays(equations: readonly Equation[]): number {
    const all = new Set(equations);
    const made = new Set(equations.map((equation) => result(equation).id));
    const inputs = new Set<number>();
    for (const equation of equations) {
      for (const v of readBy(equation)) {
        const root = this.roots.of(v);
        // Two views of an array are bound twice.
        if (!made.has(root.id) && !this.roots.isInlined(root)) inputs.add(v.id);
      }
    }
    const leaves = (id: number): boolean =>
      (this.readers.get(id) ?? []).some((reader) => reader === null || !all.has(reader));
    return inputs.size + [...made].filter(leaves).length;
  }
}

/** Whether an operand's index is that of the row. */
const isRowOf = (from: string, width: number | undefined, { batched, size }: Count): boolean =>
  from === `i / ${width}u` || (from === '0u' && !batched && size === width);

const sameColumns = (a: Columns, b: Columns): boolean =>
  sameCount(a.outer, b.outer) && sameCount(a.length, b.length) && a.columns === b.columns;

const times = ({ batched, size }: Count, width: number): Count => ({ batched, size: size * width });

/** Emits groups as equations, and views where they are read. */
class Emission {
  private readonly roots: Roots;
  private readonly graph: Graph;
  private readonly defined = new Set<number>();
  private readonly written: Equation[] = [];

  constructor(graph: Graph) {
    this.graph = graph;
    this.roots = new Roots(graph);
    for (const { variable } of graph.inputs) this.defined.add(variable.id);
  }

  emit(groups: readonly Group[]): readonly Equation[] {
    for (const { loop, equations } of groups) {
      if (loop) this.write(this.composite(equations, groups));
      else for (const equation of equations) this.write(equation);
    }
    for (const { variable } of this.graph.outputs) this.define(variable);
    return this.written;
  }

  private write(equation: Equation): void {
    for (const v of equation.inputs) this.define(v);
    this.written.push(equation);
    for (const v of equation.outputs) this.defined.add(v.id);
  }

  /** Views and inlined values are defined where they are first needed. */
  private define(v: Var): void {
    if (!this.defined.has(v.id)) this.write(this.roots.made.get(v.id) as Equation);
  }

  private composite(equations: readonly Equation[], groups: readonly Group[]): Equation {
    const made = new Set(equations.map((equation) => result(equation).id));
    const body: Equation[] = [];
    const inputs: Var[] = [];
    const known = new Set<number>();
    const need = (v: Var): void => {
      if (known.has(v.id) || made.has(v.id)) return;
      known.add(v.id);
      const equation = this.roots.made.get(v.id);
      const root = this.roots.of(v);
      if (
        equation &&
        (isInlined(equation) || (isView(equation) && (made.has(root.id) || this.roots.isInlined(root))))
      ) {
        for (const w of equation.inputs) need(w);
        body.push(equation);
      } else {
        inputs.push(v);
      }
    };
    for (const equation of equations) {
      for (const v of equation.inputs) need(v);
      body.push(equation);
    }
    const own = new Set(equations);
    const outside = new Set<number>();
    for (const group of groups) {
      for (const equation of group.equations) {
        if (!own.has(equation)) for (const v of equation.inputs) outside.add(this.roots.of(v).id);
      }
    }
    for (const { variable } of this.graph.outputs) outside.add(this.roots.of(variable).id);
    const outputs = equations.map(result).filter((v) => outside.has(v.id));
    return {
      op: 'composite',
      inputs,
      attrs: {
        name: loopName,
        body: {
          name: loopName,
          inputs: inputs.map((variable, i) => ({ name: `x${i}`, variable })),
          equations: body,
          outputs: outputs.map((variable, i) => ({ name: `y${i}`, variable })),
        },
      },
      outputs,
    };
  }
}
