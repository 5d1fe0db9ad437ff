// A case of the table: a one-op graph with its inputs. Templates say what varies, and `expand` turns a template into cases.

import {
  BATCH,
  type DType,
  formatShape,
  type Graph,
  isFloat,
  isTensor,
  type NdArray,
  ndarray,
  type OpName,
  type Shape,
  sizeOf,
  type Tensor,
  trace,
} from '@fkm/core/graph';
import { type Domain, seeded } from './random.js';

/** A graph with its inputs, and what can be checked on it. */
export interface OpCase {
  /** Unique and stable: known gaps refer to it. */
  readonly key: string;
  readonly op: OpName;
  readonly dtype: DType;
  readonly graph: Graph;
  readonly inputs: readonly NdArray[];
  /** Names of the inputs that have a derivative. */
  readonly wrt: readonly string[];
  /** Whether there is no kink and no tie near the inputs, so that finite differences hold. */
  readonly smooth: boolean;
  /** Size of the largest term in a sum, relative to which absolute errors are measured. */
  readonly scale: number;
  /** Whether −0 and 0 count as different. */
  readonly signedZero: boolean;
}

type Built = Tensor | Readonly<Record<string, Tensor>>;

/** What the cases of an op share, and how they vary. */
export interface Template {
  readonly op: OpName;
  /** Distinguishes this template from others of the op: attributes, value range. */
  readonly tag?: string;
  /** The first dtype runs on all shapes, the others on the first two. */
  readonly dtypes: readonly DType[];
  /** Operand shapes, one entry for each case. The first entry also runs with no rows and with one row. */
  readonly shapes: readonly (readonly Shape[])[];
  /** Values, for all operands or by position. */
  readonly values: Domain | readonly Domain[];
  /** Dtypes by position, if they differ from the dtype of the case. */
  readonly operands?: readonly (DType | null)[];
  readonly build: (x: readonly Tensor[], dtype: DType) => Built;
  /** Positions of the operands with a derivative. */
  readonly wrt?: readonly number[];
  readonly smooth?: boolean;
  readonly scale?: number;
  readonly signedZero?: boolean;
}

export const floats: readonly DType[] = ['float32', 'float16', 'bfloat16'];
export const numeric: readonly DType[] = [...floats, 'int32'];
export const everyType: readonly DType[] = [...numeric, 'bool'];

/** Default number of rows in the batch axis. */
export const usualRows = 5;

const name = (position: number): string => 'abcd'.charAt(position);

function caseOf(template: Template, dtype: DType, shapes: readonly Shape[], rows: number): OpCase {
  const { op, tag, build, values, operands = [], wrt = [] } = template;
  const typeOf = (i: number): DType => operands[i] ?? dtype;
  const batch = rows === usualRows ? '' : `B=${rows}`;
  const key = [op, dtype, shapes.map(formatShape).join('+'), tag ?? '', batch].filter(Boolean).join(' ');
  const random = seeded(key);
  const specs = Object.fromEntries(shapes.map((shape, i) => [name(i), { shape, dtype: typeOf(i) }]));
  return {
    key,
    op,
    dtype,
    graph: trace(op, specs, (inputs) => {
      const built = build(Object.values(inputs), dtype);
      return isTensor(built) ? { y: built } : built;
    }),
    inputs: shapes.map((shape, i) => {
      const domain = typeof values === 'function' ? values : (values[i] as Domain);
      const bound = shape.map((dim) => (dim === BATCH ? rows : dim));
      return ndarray(domain(sizeOf(bound), random), bound, typeOf(i));
    }),
    wrt: wrt.filter((i) => i < shapes.length && isFloat(typeOf(i))).map(name),
    smooth: template.smooth ?? true,
    scale: template.scale ?? 1,
    signedZero: template.signedZero ?? false,
  };
}

/** The cases of a template. */
export function expand(template: Template): OpCase[] {
  return template.dtypes.flatMap((dtype, d) =>
    template.shapes
      .slice(0, d === 0 ? undefined : 2)
      .flatMap((shapes, s) =>
        (s === 0 && shapes.flat().includes(BATCH) ? [usualRows, 0, 1] : [usualRows]).map((rows) =>
          caseOf(template, dtype, shapes, rows),
        ),
      ),
  );
}
