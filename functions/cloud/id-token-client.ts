// Google's auth library, alone in a module that is imported at the first call of another function.
import { GoogleAuth, type IdTokenClient } from 'google-auth-library';

export async function openIdTokenClient(audience: string): Promise<IdTokenClient> {
  return await new GoogleAuth().getIdTokenClient(audience);
}
