/** One version: its facts from the manifest, and what its import measured. */
import { BitEdgeError, type Model, type Report } from '../../../../client/index.ts';
import { ProblemNote } from '../../components/problem.tsx';
import { ScrollFrame } from '../../components/scroll-frame.tsx';
import { formatBytes, formatCount, formatPercent } from '../../format.ts';
import { useLoading } from '../../loading.ts';
import { useSession } from '../../session.tsx';
import { evaluationOf, type LayerError, layersOf } from './report.ts';

/** The facts; the report where there is one. */
export function VersionDetails({ model }: { readonly model: string }) {
  const { client } = useSession();
  const facts = useLoading(() => client.getModel(model), [client, model]);
  const report = useLoading(() => reportOrNull(client.getReport(model)), [client, model]);
  if (facts.error !== null) return <ProblemNote error={facts.error} retry={facts.reload} />;
  if (facts.value === null) return <p class="quiet">Reading the manifest…</p>;
  return (
    <div class="details">
      <Facts facts={facts.value} />
      {report.error !== null && <ProblemNote error={report.error} retry={report.reload} />}
      {report.value !== null &&
        (report.value.report === null ? (
          <p class="quiet">This version was published without an import report.</p>
        ) : (
          <ReportFacts report={report.value.report} />
        ))}
    </div>
  );
}

/** A version without a report is no failure. */
async function reportOrNull(asked: Promise<Report>): Promise<{ readonly report: Report | null }> {
  try {
    return { report: await asked };
  } catch (error) {
    if (error instanceof BitEdgeError && error.problem.code === 'not_found') return { report: null };
    throw error;
  }
}

function Facts({ facts }: { readonly facts: Model }) {
  return (
    <div class="panel">
      <ScrollFrame label="Variants">
        <table>
          <thead>
            <tr>
              <th scope="col">Variant</th>
              <th scope="col" class="number">
                Size
              </th>
              <th scope="col" class="number">
                WASM heap
              </th>
              <th scope="col" class="number">
                MACs
              </th>
              <th scope="col" class="number">
                Parameters
              </th>
              <th scope="col">Input</th>
              <th scope="col">Outputs</th>
            </tr>
          </thead>
          <tbody>
            {facts.variants.map(({ name, bytes, wasm_heap_bytes: heap, macs, parameters, inputs, outputs }) => (
              <tr key={name}>
                <td>
                  {name} {name === facts.default_variant && <span class="badge">served</span>}
                </td>
                <td class="number">{formatBytes(bytes)}</td>
                <td class="number">{heap === null ? '' : formatBytes(heap)}</td>
                <td class="number">{formatCount(macs / 1e6)} M</td>
                <td class="number">{formatCount(parameters / 1e3)} k</td>
                <td>
                  <code>{inputs.map(({ shape }) => shape.join(' × ')).join(', ')}</code>
                </td>
                <td>
                  <code>{outputs.map(({ name: output }) => output).join(', ')}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollFrame>
      <p class="quiet">
        {formatCount(facts.num_labels)} labels · from {facts.source.kind} <code>{facts.source.reference}</code>
      </p>
    </div>
  );
}

function ReportFacts({ report }: { readonly report: Report }) {
  const layers = layersOf(report);
  const evaluation = evaluationOf(report);
  return (
    <div class="panel">
      <h3>Import report</h3>
      {evaluation !== null && (
        <p>
          int8 gives the label of fp32 on <strong>{formatPercent(evaluation.agreement)}</strong> of{' '}
          {formatCount(evaluation.images)} images; mean error of a logit {formatPercent(evaluation.logitError)}.
        </p>
      )}
      {layers.length > 0 && <LayerPlot layers={layers} />}
      {evaluation === null && layers.length === 0 && <p class="quiet">It has no figures of quantization.</p>}
    </div>
  );
}

const WIDTH = 720;
const HEIGHT = 120;

/** The error of every layer, in the order of the network. */
function LayerPlot({ layers }: { readonly layers: readonly LayerError[] }) {
  const top = Math.max(...layers.map(({ error }) => error));
  const step = WIDTH / layers.length;
  const largest = layers.reduce((a, b) => (b.error > a.error ? b : a));
  const summary = `Quantization error of ${layers.length} layers; the largest is ${formatPercent(largest.error)}, ${largest.name}`;
  return (
    <figure class="plot">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={summary}>
        {layers.map(({ name, error, isFloat }, index) => (
          <rect
            key={name}
            class={isFloat ? 'plot-float' : 'plot-bar'}
            x={index * step + step * 0.1}
            y={HEIGHT - (error / top) * HEIGHT}
            width={step * 0.8}
            height={(error / top) * HEIGHT}
          >
            <title>{`${name}: ${formatPercent(error)}`}</title>
          </rect>
        ))}
      </svg>
      <figcaption class="quiet">{summary}.</figcaption>
    </figure>
  );
}
