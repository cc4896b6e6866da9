/** Every code that an error can carry: the `type` of a problem links here. */
import { PROBLEMS } from '../../../../worker/problem.ts';
import { ScrollFrame } from '../../components/scroll-frame.tsx';

/** The table. */
export function ErrorTable() {
  return (
    <section class="panel" aria-labelledby="errors-title">
      <h2 id="errors-title">Errors</h2>
      <p class="quiet">Every error carries one of these codes, and a request id.</p>
      <ScrollFrame label="Codes of errors">
        <table>
          <thead>
            <tr>
              <th scope="col">Code</th>
              <th scope="col" class="number">
                Status
              </th>
              <th scope="col">Who can mend it</th>
              <th scope="col">Meaning</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(PROBLEMS).map(([code, { status, blame, title }]) => (
              <tr key={code} id={code}>
                <td>
                  <code>{code}</code>
                </td>
                <td class="number">{status}</td>
                <td>{blame}</td>
                <td>{title}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollFrame>
    </section>
  );
}
