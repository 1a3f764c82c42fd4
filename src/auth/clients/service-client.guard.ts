import {
  applyDecorators,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { validate as isUuid } from 'uuid';
import type { Form } from '../../http/form-body.js';
import { Public } from '../../http/public.decorator.js';
import { Problem } from '../../problems/problem.js';
import { presentedClient } from './client-authentication.js';
import { type Permission, type ServiceClientInfo, ServiceClients } from './service-clients.service.js';

const PERMISSION = 'traffy:service-client-permission';

type ClientRequest = FastifyRequest<{ Body: Form | undefined }> & { serviceClient?: ServiceClientInfo };

/** Lets in service clients with a permission, and nobody else: no credential of a person is looked at. */
@Injectable()
export class ServiceClientGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly clients: ServiceClients,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const permission = this.reflector.get<Permission | undefined>(PERMISSION, context.getHandler());
    if (permission === undefined) throw new Error('a route for service clients names no permission');
    const request = context.switchToHttp().getRequest<ClientRequest>();
    const client = await this.authenticate(request);
    if (!client.permissions.includes(permission)) {
      throw new Problem('unauthorized_client', { detail: `The client lacks the permission ${permission}.` });
    }
    request.serviceClient = client;
    return true;
  }

  private async authenticate(request: ClientRequest): Promise<ServiceClientInfo> {
    const presented = presentedClient(request.headers.authorization, request.body ?? {});
    if (presented === 'ambiguous') {
      throw new Problem('validation_failed', {
        detail: 'The client authenticates itself in more than one way.',
      });
    }
    if (presented === 'none') throw new Problem('invalid_client');
    const client = await this.clients.verify(presented.id, presented.secret);
    if (client) return client;
    request.log.warn({
      event: 'service_client_refused',
      client: isUuid(presented.id) ? presented.id : null,
      ip: request.ip,
    });
    throw new Problem('invalid_client');
  }
}

/** Opens a route to service clients that have a permission. */
export function ForServiceClients(permission: Permission): MethodDecorator {
  return applyDecorators(Public(), SetMetadata(PERMISSION, permission), UseGuards(ServiceClientGuard));
}

/** Hands a handler the service client that calls. Only for routes that are for them. */
export const FromServiceClient = createParamDecorator(
  (_data: unknown, context: ExecutionContext): ServiceClientInfo => {
    const { serviceClient } = context.switchToHttp().getRequest<ClientRequest>();
    if (!serviceClient) throw new Error('FromServiceClient stands on a route that is not for them');
    return serviceClient;
  },
);
