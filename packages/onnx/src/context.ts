// The context of a lowering rule: names of lowered variables, and the writer that takes nodes.

import {
  type DType,
  type Equation,
  formatType,
  type Graph,
  GraphError,
  isOp,
  type Var,
} from '@fkm/core/graph';
import { type GemmPlan, planGemms } from './gemm.js';
import { type Attributes, elementType, GraphWriter } from './writer.js';

const rankOf = ({ inputs }: Equation): number => (inputs[0] as Var).shape.length;

export interface ContextOptions {
  readonly opset: number;
  /** How TopK is written. Default 'op'. */
  readonly topK?: 'op' | 'argMax' | undefined;
  /** How scatter-add is written. Default 'op'. */
  readonly scatter?: 'op' | 'product' | undefined;
  /** Names that no value may get. */
  readonly reserved?: readonly string[];
}

/** Names of the groups of a value, and of their maxima. */
export interface Peaks {
  readonly groups: string;
  readonly peaks: string;
}

export class Context {
  readonly write: GraphWriter;
  readonly opset: number;
  readonly topK: 'op' | 'argMax';
  readonly scatter: 'op' | 'product';
  readonly gemms: GemmPlan;
  /** Variables that an argMax searches along their last axis. */
  readonly searched: ReadonlySet<number>;
  /** Group maxima of values, by the values' names. */
  readonly peaks: Map<string, Peaks> = new Map();
  /** Indices in the form of GatherND, by the names of the indices. */
  readonly places: Map<string, string> = new Map();
  private readonly names = new Map<number, string>();
  /** Required names of graph outputs. */
  private readonly wanted = new Map<number, string>();

  /** `outputs`: the names of the graph's outputs, in order; null for one that is postprocessed. */
  constructor(
    graph: Graph,
    outputs: readonly (string | null)[],
    { opset, topK = 'op', scatter = 'op', reserved = [] }: ContextOptions,
  ) {
    this.opset = opset;
    this.topK = topK;
    this.scatter = scatter;
    this.gemms = planGemms(graph);
    this.searched = new Set(
      (graph.equations as readonly Equation[])
        .filter((equation) => isOp(equation, 'argMax') && equation.attrs.axis === rankOf(equation) - 1)
        .map(({ inputs }) => (inputs[0] as Var).id),
    );
    this.write = new GraphWriter([
      ...graph.inputs.map((port) => port.name),
      ...outputs.filter((name) => name !== null),
      ...reserved,
    ]);
    for (const { name, variable } of graph.inputs) this.names.set(variable.id, name);
    graph.outputs.forEach((port, i) => {
      const { id } = port.variable;
      const name = outputs[i];
      if (typeof name === 'string' && !this.wanted.has(id)) this.wanted.set(id, name);
    });
  }

  /** The ONNX value of a variable. */
  name(v: Var): string {
    const name = this.names.get(v.id);
    if (name === undefined)
      throw new GraphError(`toOnnx: ${formatType(v)} is read before it is defined.`, {}, 'onnx');
    return name;
  }

  /** Maps a variable to an existing ONNX value, without a node. */
  alias(v: Var, name: string): void {
    this.names.set(v.id, name);
  }

  /** A name for a variable that a node is going to define. */
  result(v: Var, stem: string): string {
    const name = this.wanted.get(v.id) ?? this.write.fresh(stem);
    this.names.set(v.id, name);
    return name;
  }

  /** Appends the node of an equation's first output. */
  emit(equation: Equation, opType: string, inputs: readonly string[], attributes: Attributes = {}): void {
    this.write.node(opType, inputs, attributes, this.result(equation.outputs[0] as Var, opType));
  }

  /** The names of an equation's operands. */
  operands(equation: Equation): string[] {
    return equation.inputs.map((v) => this.name(v));
  }

  cast(name: string, to: DType): string {
    return this.write.node('Cast', [name], { to: elementType[to] });
  }
}
