// Who may do what: four roles, four risks, one table.
import * as z from 'zod';

export const Role = z.enum(['viewer', 'responder', 'operator', 'admin']);
export type Role = z.infer<typeof Role>;

export const Risk = z.enum(['read', 'change', 'disruptive', 'destructive']);
export type Risk = z.infer<typeof Risk>;

const ROLE_RANK: Record<Role, number> = { viewer: 0, responder: 1, operator: 2, admin: 3 };
const NEEDED: Record<Risk, Role> = {
  read: 'viewer',
  change: 'responder',
  disruptive: 'operator',
  destructive: 'operator',
};

/** The least role that may ask for an operation: the one that it names, or what its risk needs. */
export function roleNeededFor({ risk, role }: { risk: Risk; role?: Role }): Role {
  return role ?? NEEDED[risk];
}

/** True when `role` includes everything `needed` may do. */
export function isRoleAtLeast(role: Role, needed: Role): boolean {
  return ROLE_RANK[role] >= ROLE_RANK[needed];
}
