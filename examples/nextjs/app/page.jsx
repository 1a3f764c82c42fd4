import { SignIn } from './sign-in.jsx';
import { currentUser } from './user.js';

export default async function Page() {
  const user = await currentUser();
  return (
    <main>
      <p>{user.logged_in ? `Signed in as ${user.email}` : 'Signed out'}</p>
      <SignIn isSignedIn={user.logged_in} />
    </main>
  );
}
