import { createRoot } from 'react-dom/client';
import { Account } from './Account.jsx';
import { SignIn } from './SignIn.jsx';

createRoot(document.getElementById('root')).render(<SignIn page={Account} />);
