/** The panel of inference by side: a bar for the median, a mark at the fastest run. Pure, no I/O. */
import { type InferenceRow, type RuntimeResult, SIDES, type Side } from '../result.ts';
import { figure, INK, line, notMeasured, rect, scaleFor, text } from './svg.ts';

const LEFT_PX = 158;
const BAR_LENGTH_PX = 180;
const BAR_PX = 14;
const ROW_PX = 20;

const GROUPS: readonly { readonly title: string; readonly sides: readonly (readonly [Side, string, string])[] }[] = [
  {
    title: 'BiT-R50x1, 224 px',
    sides: [
      [SIDES.r50Int8, 'int8, workerd', INK.blue],
      [SIDES.r50Int8Onnxruntime, 'int8, onnxruntime', INK.slate],
      [SIDES.r50Fp32, 'fp32, workerd', INK.slate],
      [SIDES.r50Qdq, 'QDQ, workerd', INK.slate],
      [SIDES.r50Int8Node, 'int8, onnxruntime-node', INK.teal],
      [SIDES.r50QdqNode, 'QDQ, onnxruntime-node', INK.teal],
    ],
  },
  {
    title: 'BiT-R50x1, 448 px (another scale)',
    sides: [
      [SIDES.r50Int8At448, 'int8, workerd', INK.blue],
      [SIDES.r50Int8At448Onnxruntime, 'int8, onnxruntime', INK.slate],
      [SIDES.r50Fp32At448, 'fp32, workerd', INK.slate],
    ],
  },
  {
    title: 'default model, 64 px (another scale)',
    sides: [
      [SIDES.defaultInt8, 'int8, workerd', INK.blue],
      [SIDES.defaultInt8Onnxruntime, 'int8, onnxruntime', INK.slate],
      [SIDES.defaultFp32, 'fp32, workerd', INK.slate],
    ],
  },
];

/** Draws it below its title. */
export function inferencePanel({ inference }: RuntimeResult): string[] {
  if (inference === null) return [notMeasured()];
  const rows = new Map(inference.map((row) => [row.side, row]));
  const parts: string[] = [];
  let y = 50;
  for (const { title, sides } of GROUPS) {
    const scale = scaleFor(
      sides.map(([side]) => rows.get(side)?.medianMs ?? Number.NaN),
      BAR_LENGTH_PX,
    );
    parts.push(text(16, y, title, { bold: true }));
    for (const [side, label, fill] of sides) {
      y += ROW_PX;
      parts.push(text(LEFT_PX - 8, y, label, { anchor: 'end' }), ...bar(rows.get(side), y, fill, scale.at));
    }
    y += ROW_PX + 14;
  }
  return parts;
}

function bar(row: InferenceRow | undefined, y: number, fill: string, at: (value: number) => number): string[] {
  if (row === undefined) return [text(LEFT_PX, y, 'not measured', { fill: INK.muted })];
  const fastest = LEFT_PX + at(row.fastestMs);
  return [
    rect(LEFT_PX, y - BAR_PX + 3, at(row.medianMs), BAR_PX, fill),
    line(fastest, y - BAR_PX + 3, fastest, y + 3, INK.text),
    text(LEFT_PX + at(row.medianMs) + 6, y, `${figure(row.medianMs)} ms, fastest ${figure(row.fastestMs)}`),
  ];
}
