/** Asks for an API key. */
import { useState } from 'preact/hooks';
import { useSession } from '../session.tsx';
import { ProblemNote } from './problem.tsx';

/** The form; a key that the deployment refuses is not kept. */
export function SignIn() {
  const { signIn } = useSession();
  const [apiKey, setApiKey] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    signIn(apiKey.trim()).catch((thrown: unknown) => {
      setError(thrown);
      setBusy(false);
    });
  };
  return (
    <form class="sign-in" onSubmit={submit}>
      <h1>Sign in</h1>
      <p class="quiet">
        This deployment asks for an API key. It stays in this tab and ends with it. <code>bit-edge keys create</code>{' '}
        makes one.
      </p>
      <label>
        API key
        <input
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          value={apiKey}
          onInput={(event) => setApiKey(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary" disabled={busy}>
        Sign in
      </button>
      {error !== null && <ProblemNote error={error} />}
    </form>
  );
}
