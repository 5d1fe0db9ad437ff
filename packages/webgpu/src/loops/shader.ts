// The WGSL of a loop: one thread for each element, or several threads for each row with reductions. Values needed in later phases
// of a row are recomputed, which costs less than storing them.

import { type DType, type Equation, type Graph, isOp, type Var } from '@fkm/core/graph';
import { type Count, elementsOf } from './indices.js';
import { head, literal, type Rule, rules } from './rules.js';
import { isView, type Loop, loopOf, numberIn, placeIn, readBy, result } from './sizes.js';

/** A kernel's code, and its size for a number of rows. */
export interface LoopShader {
  readonly code: string;
  /** Positions of the body's inputs that are bound, before the outputs; the uniform buffer is the last binding. */
  readonly reads: readonly number[];
  /** What one workgroup does of this work. */
  readonly work: Count;
  readonly perGroup: number;
}

export const threads = 256;

const stored = (dtype: DType): string => (dtype === 'float32' ? 'f32' : 'i32');
/** Collects the code and bindings of one kernel. */
class Writer {
  readonly made = new Map<number, Equation>();
  private readonly body: Graph;
  private readonly inputs = new Map<number, number>();
  private readonly numbers = new Map<number, number>();
  /** Bound inputs, in the order of their first use. */
  readonly reads: number[] = [];

  constructor(body: Graph) {
    this.body = body;
    body.equations.forEach((equation, i) => {
      this.made.set(result(equation).id, equation);
      this.numbers.set(result(equation).id, i);
    });
    body.inputs.forEach((port, i) => {
      this.inputs.set(port.variable.id, i);
    });
  }

  /** The number of an equation's result for its name: equal bodies have equal code. */
  number(v: Var): number {
    return this.numbers.get(v.id) as number;
  }

  root(v: Var): Var {
    const equation = this.made.get(v.id);
    return equation && isView(equation) ? this.root(equation.inputs[0] as Var) : v;
  }

  /** An element of an input. */
  load(v: Var, place: string): string {
    const at = this.inputs.get(v.id) as number;
    if (!this.reads.includes(at)) this.reads.push(at);
    const element = `x${at}[${place}]`;
    return v.dtype === 'bool' ? `(${element} != 0i)` : element;
  }

  store(v: Var, place: string, value: string): string {
    const at = this.body.outputs.findIndex((port) => port.variable.id === v.id);
    return `y${at}[${place}] = ${v.dtype === 'bool' ? `select(0i, 1i, ${value})` : value};`;
  }

  /** Bindings: inputs, then outputs, then the uniform buffer. */
  declarations(): string {
    const binding = (at: number, access: string, name: string, dtype: DType): string =>
      `@group(0) @binding(${at}) var<storage, ${access}> ${name}: array<${stored(dtype)}>;\n`;
    const { inputs, outputs } = this.body;
    const first = this.reads.length;
    return [
      ...this.reads.map((at, i) => binding(i, 'read', `x${at}`, inputs[at]?.variable.dtype as DType)),
      ...outputs.map((port, i) => binding(first + i, 'read_write', `y${i}`, port.variable.dtype)),
      `@group(0) @binding(${first + outputs.length}) var<uniform> params: Params;\n`,
    ].join('');
  }
}

/** Values at one index: of an element, or of a row. */
class Scope {
  readonly lines: string[] = [];
  private readonly known = new Map<number, string>();
  private readonly writer: Writer;
  private readonly place: string;
  private readonly outer: Scope | undefined;
  private readonly levels: ReadonlyMap<number, 'place' | 'row'>;

  constructor(writer: Writer, place: string, levels: ReadonlyMap<number, 'place' | 'row'>, outer?: Scope) {
    this.writer = writer;
    this.place = place;
    this.levels = levels;
    this.outer = outer;
  }

  define(v: Var, name: string): void {
    this.known.set(v.id, name);
  }

  /** The name of a value that is computed in the loop. */
  value(v: Var): string {
    const { writer } = this;
    if (this.outer && this.levels.get(v.id) === 'row') return this.outer.value(v);
    const known = this.known.get(v.id);
    if (known) return known;
    const equation = writer.made.get(v.id) as Equation;
    const operands = readBy(equation).map((operand) => this.operand(equation, operand));
    const name = `${this.outer || this.place === 'i' ? 'v' : 'r'}${writer.number(v)}`;
    const rule = rules[equation.op] as Rule;
    this.lines.push(`let ${name} = ${rule(operands, equation, this.place)};`);
    this.known.set(v.id, name);
    return name;
  }

  /** An operand of an equation at this index. */
  operand(equation: Equation, v: Var): string {
    return this.read(v, isReduction(equation) ? 'i' : placeIn(equation, v, this.place));
  }

  read(v: Var, place: string): string {
    const { writer } = this;
    const root = writer.root(v);
    const equation = writer.made.get(root.id);
    if (!equation) return this.named(`${v.id} ${place}`, () => writer.load(v, place));
    const number = numberIn(equation);
    if (number !== undefined) return `(${literal(number, v.dtype)})`;
    if (equation.op === 'iota') return `i32(${place})`;
    return this.value(root);
  }

  private readonly loads = new Map<string, string>();

  /** An element is loaded once for each index. */
  private named(key: string, load: () => string): string {
    let name = this.loads.get(key);
    if (!name) {
      name = `${this.outer || this.place === 'i' ? 'e' : 'f'}${this.loads.size}`;
      this.lines.push(`let ${name} = ${load()};`);
      this.loads.set(key, name);
    }
    return name;
  }
}

const isReduction = (equation: Equation): boolean => equation.op === 'sum' || equation.op === 'reduceMax';

/** The code of a body from `fuseLoops`. */
export function loopShader(body: Graph): LoopShader {
  const loops = body.equations.flatMap((equation) => {
    const loop = isView(equation) ? null : loopOf(equation);
    return loop ? [{ equation, loop }] : [];
  });
  const rows = loops.find(({ loop }) => loop.over === 'rows')?.loop;
  const columns = loops.find(({ loop }) => loop.over === 'columns')?.loop;
  if (columns?.over === 'columns') return columnShader(body, columns);
  if (rows?.over === 'rows') return rowShader(body, rows);
  return elementShader(body, (loops[0] as { loop: Loop & { over: 'elements' } }).loop.count);
}

const main = (size: number): string => `@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lid: u32) {
  // Bound everywhere, read or not.
  _ = params.rows;
  let own = group.y * groups.x + group.x;`;

function elementShader(body: Graph, count: Count): LoopShader {
  const writer = new Writer(body);
  const scope = new Scope(writer, 'i', new Map());
  const stores = body.outputs.map(({ variable }) => writer.store(variable, 'i', scope.value(variable)));
  const code = `${head}${writer.declarations()}${main(threads)}
  let i = own * ${threads}u + lid;
  if (i >= ${elementsOf(count)}) { return; }
  ${[...scope.lines, ...stores].join('\n  ')}
}`;
  return { code, reads: writer.reads, work: count, perGroup: threads };
}

/** Number of threads that share a row. */
const lanesOf = (width: number): number =>
  Math.min(threads, 2 ** Math.ceil(Math.log2(Math.max(1, width / 4))));

function rowShader(body: Graph, { count, width }: { count: Count; width: number }): LoopShader {
  const writer = new Writer(body);
  const rowCount: Count = { batched: count.batched, size: count.size / width };
  const { levels, phases } = phasesOf(body, writer, count);
  const lanes = lanesOf(width);
  const perGroup = threads / lanes;
  const rowScope = new Scope(writer, 'row', levels);
  const lines: string[] = [];
  const settle = (): void => {
    lines.push(...rowScope.lines.splice(0));
  };
  const loop = (inside: (scope: Scope) => string[]): void => {
    const scope = new Scope(writer, 'i', levels, rowScope);
    const last = inside(scope);
    settle();
    lines.push(
      `for (var c = lane; c < end; c += ${lanes}u) {`,
      '  let i = row * width + c;',
      ...[...scope.lines, ...last].map((line) => `  ${line}`),
      '}',
    );
  };
  for (const reductions of phases) {
    for (const equation of reductions) {
      const start = equation.op === 'sum' ? '0f' : 'bitcast<f32>(params.lowest)';
      lines.push(`var a${writer.number(result(equation))} = ${start};`);
    }
    loop((scope) =>
      reductions.map((equation) => {
        const value = scope.operand(equation, equation.inputs[0] as Var);
        const a = `a${writer.number(result(equation))}`;
        return equation.op === 'sum' ? `${a} += ${value};` : `${a} = larger(${a}, ${value});`;
      }),
    );
    for (const equation of reductions) {
      const out = result(equation);
      const combined = (a: string, b: string): string =>
        equation.op === 'sum' ? `${a} + ${b}` : `larger(${a}, ${b})`;
      if (lanes > 1) {
        lines.push(
          `shared_[lid] = a${writer.number(out)};`,
          `for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {`,
          '  workgroupBarrier();',
          `  if (lane < half) { shared_[lid] = ${combined('shared_[lid]', 'shared_[lid + half]')}; }`,
          '}',
          'workgroupBarrier();',
          `let t${writer.number(out)} = shared_[lid - lane];`,
          'workgroupBarrier();',
        );
      } else {
        lines.push(`let t${writer.number(out)} = a${writer.number(out)};`);
      }
      rowScope.define(out, `t${writer.number(out)}`);
    }
  }
  const leaving = (level: 'place' | 'row'): Var[] =>
    body.outputs.map((port) => port.variable).filter((v) => levels.get(v.id) === level);
  if (leaving('place').length > 0) {
    loop((scope) => leaving('place').map((v) => writer.store(v, 'i', scope.value(v))));
  }
  const stores = leaving('row').map((v) => writer.store(v, 'row', rowScope.value(v)));
  settle();
  if (stores.length > 0)
    lines.push(`if (lane == 0u && row < ${elementsOf(rowCount)}) { ${stores.join(' ')} }`);
  const code = `${head}${writer.declarations()}${lanes > 1 ? `var<workgroup> shared_: array<f32, ${threads}>;\n` : ''}const width = ${width}u;
${main(threads)}
  let lane = lid % ${lanes}u;
  let row = own * ${perGroup}u + lid / ${lanes}u;
  let end = select(0u, width, row < ${elementsOf(rowCount)});
  ${lines.join('\n  ')}
}`;
  return { code, reads: writer.reads, work: rowCount, perGroup };
}

/** Which values have one element an index and which one a row, and which reductions can share a pass, in order. */
function phasesOf(
  body: Graph,
  writer: Writer,
  count: Count,
): { levels: Map<number, 'place' | 'row'>; phases: Equation[][] } {
  const levels = new Map<number, 'place' | 'row'>();
  const phase = new Map<number, number>();
  const phases: Equation[][] = [];
  for (const equation of body.equations) {
    const loop = isView(equation) ? null : loopOf(equation);
    if (!loop || loop.over === 'columns') continue;
    const out = result(equation);
    const before = Math.max(0, ...equation.inputs.map((v) => phase.get(writer.root(v).id) ?? 0));
    const isWhole =
      loop.over === 'elements' && loop.count.size === count.size && loop.count.batched === count.batched;
    levels.set(out.id, isWhole ? 'place' : 'row');
    if (loop.over === 'elements') {
      phase.set(out.id, before);
      continue;
    }
    phase.set(out.id, before + 1);
    let own = phases[before];
    if (!own) {
      own = [];
      phases[before] = own;
    }
    own.push(equation);
  }
  return { levels, phases };
}

/** Columns that a workgroup sums at a time; fewer if there would be too few groups to keep a device busy. */
function acrossOf(outputs: number): number {
  for (const across of [32, 16, 8]) if (outputs / across >= 64) return across;
  return Math.min(4, 2 ** Math.floor(Math.log2(outputs)));
}

function columnShader(body: Graph, { outer, length, columns }: Loop & { over: 'columns' }): LoopShader {
  const writer = new Writer(body);
  const across = acrossOf(outer.size * columns);
  const down = threads / across;
  const tiles = Math.ceil(columns / across);
  const sums = body.equations.filter((equation) => isOp(equation, 'sum') && !isView(equation));
  const add = (place: string): string[] => {
    const scope = new Scope(writer, 'i', new Map());
    const adds = sums.map(
      (equation) =>
        `a${writer.number(result(equation))} += ${scope.operand(equation, equation.inputs[0] as Var)};`,
    );
    return ['{', `  let i = ${place};`, ...[...scope.lines, ...adds].map((line) => `  ${line}`), '}'];
  };
  const lines = [
    ...sums.map((equation) => `var a${writer.number(result(equation))} = 0f;`),
    `let length = ${elementsOf(length)};`,
    `let end = select(0u, length, d < ${columns}u && block < ${elementsOf(outer)});`,
    `var l = lid / ${across}u;`,
    // Four at a time, so that their reads overlap.
    `for (; l + ${3 * down}u < end; l += ${4 * down}u) {`,
    `  let first = (block * length + l) * ${columns}u + d;`,
    ...[0, 1, 2, 3].flatMap((n) => add(`first + ${n * down * columns}u`)).map((line) => `  ${line}`),
    '}',
    `for (; l < end; l += ${down}u) {`,
    ...add(`(block * length + l) * ${columns}u + d`).map((line) => `  ${line}`),
    '}',
    ...sums.flatMap((equation) => [
      `shared_[lid] = a${writer.number(result(equation))};`,
      `for (var half = ${threads / 2}u; half >= ${across}u; half /= 2u) {`,
      '  workgroupBarrier();',
      '  if (lid < half) { shared_[lid] += shared_[lid + half]; }',
      '}',
      'workgroupBarrier();',
      `if (lid < ${across}u && d < ${columns}u && block < ${elementsOf(outer)}) { ${writer.store(result(equation), `block * ${columns}u + d`, 'shared_[lid]')} }`,
      'workgroupBarrier();',
    ]),
  ];
  const code = `${head}${writer.declarations()}var<workgroup> shared_: array<f32, ${threads}>;
${main(threads)}
  let block = own / ${tiles}u;
  let d = (own % ${tiles}u) * ${across}u + lid % ${across}u;
  ${lines.join('\n  ')}
}`;
  return {
    code,
    reads: writer.reads,
    work: { batched: outer.batched, size: outer.size * tiles },
    perGroup: 1,
  };
}
