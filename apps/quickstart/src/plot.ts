// The two plots of the quickstart, as SVG for any browser.

import type { Progress } from '@fkm/core';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

const font = 'Helvetica, Arial, sans-serif';
const [width, fontSize] = [720, 13];
const centred = { labelAnchor: 'center', labelArrow: 'none' } as const;
const grid = { stroke: '#eee', strokeOpacity: 1 };
const [blue, red, grey] = ['#2463a5', '#c8402f', '#777'];

/** Predicted against true price: hexagons coloured by the number of diamonds in them, and the diagonal of zero error. */
export function pricePlot(
  truth: Float32Array,
  predicted: Float32Array | Float64Array,
  score: number,
): string {
  const points = Array.from(truth, (value, i) => ({ truth: value, predicted: predicted[i] as number }));
  const all = points.flatMap((point) => [point.truth, point.predicted]);
  const low = Math.min(0, ...all);
  const high = Math.max(...all);
  const count = truth.length.toLocaleString('en');
  const axis = { ...centred, domain: [low, high], nice: true, ticks: 5 };
  return toSvg(
    `Predicted and true price of ${count} held-out diamonds`,
    `R² ${score.toFixed(4)}. Dark: many diamonds, on a log scale. Dashed: right predictions.`,
    {
      height: width,
      x: { ...axis, label: 'true price, $' },
      y: { ...axis, label: 'predicted price, $' },
      color: { type: 'log', interpolate: shade },
      marks: [
        Plot.gridX({ ...grid, ticks: 5 }),
        Plot.gridY({ ...grid, ticks: 5 }),
        Plot.hexagon(
          points,
          Plot.hexbin({ fill: 'count' }, { x: 'truth', y: 'predicted', binWidth: 8, r: 4.6, stroke: 'none' }),
        ),
        Plot.line([low, high], {
          x: (v: number) => v,
          y: (v: number) => v,
          stroke: red,
          strokeDasharray: '6,4',
        }),
      ],
    },
  );
}

/** From pale to dark blue: a single diamond has to show on white, and the crowd near the diagonal must not hide the rest. */
function shade(t: number): string {
  const [from, to] = [
    [176, 206, 234],
    [8, 32, 84],
  ] as const;
  return `rgb(${from.map((c, i) => Math.round(c + t * ((to[i] as number) - c))).join(',')})`;
}

/** Training and validation loss of every epoch, and the epoch whose state was kept. */
export function lossPlot(history: readonly Progress[]): string {
  const bestEpoch = history.filter(({ best }) => best).at(-1)?.done ?? history.length;
  const lines = [
    { name: 'training', color: blue, of: history.map(({ done, loss }) => ({ epoch: done, loss })) },
    {
      name: 'validation',
      color: red,
      of: history.map(({ done, evalLoss }) => ({ epoch: done, loss: evalLoss })),
    },
  ].filter(({ of }) => of.some(({ loss }) => loss !== undefined));
  const epochs = history.length;
  return toSvg(
    'Loss of the gradient phase',
    `Mean squared error of the standardised price. Kept: epoch ${bestEpoch} of ${epochs}.`,
    {
      height: 420,
      x: { ...centred, domain: [0, epochs], ticks: Math.min(epochs, 10), tickFormat: 'd', label: 'epoch' },
      y: { ...centred, ticks: 6, label: 'loss', nice: true },
      marks: [
        Plot.gridY({ ...grid, ticks: 6 }),
        Plot.ruleX([bestEpoch], { stroke: grey, strokeDasharray: '3,3' }),
        ...lines.flatMap(({ name, color, of }, i) => [
          Plot.line(of, { x: 'epoch', y: 'loss', stroke: color, strokeWidth: 1.8 }),
          Plot.text([name], {
            frameAnchor: 'top-right',
            dy: 6 + 20 * i,
            dx: -6,
            fill: color,
            fontWeight: 'bold',
            stroke: 'white',
            strokeWidth: 6,
          }),
        ]),
      ],
    },
  );
}

/** A plot with its headings inside of the SVG: Plot's own title would wrap it in HTML. */
function toSvg(title: string, note: string, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const headings = [
    Plot.text([title], { frameAnchor: 'top-left', dy: -50, fontSize: 17, fontWeight: 'bold' }),
    Plot.text([note], { frameAnchor: 'top-left', dy: -26, fill: grey }),
  ];
  const svg = Plot.plot({
    // linkedom's types differ from those of a browser's document; Plot uses only its createElementNS.
    document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
    width,
    marginLeft: 78,
    marginRight: 34,
    marginTop: 72,
    marginBottom: 52,
    style: { background: 'white', fontFamily: font, fontSize: `${fontSize}px` },
    ...options,
    marks: [...(options.marks ?? []), ...headings],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return svg.outerHTML;
}
