// Google's auth library in a module of its own, which is imported when another function is called for the first time.
import { GoogleAuth, type IdTokenClient } from 'google-auth-library';

export async function openIdTokenClient(audience: string): Promise<IdTokenClient> {
  return await new GoogleAuth().getIdTokenClient(audience);
}
