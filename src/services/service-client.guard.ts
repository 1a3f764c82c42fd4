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
import type { Form } from '../platform/http/form-body.js';
import { noteRefusal } from '../platform/http/refusal.js';
import { Public } from '../platform/http/public.decorator.js';
import { Problem } from '../platform/problems/problem.js';
import { presentedClient } from './client-authentication.js';
import type { Permission } from './permissions.js';
import { type ServiceClientInfo, ServiceClients } from './service-clients.service.js';

const PERMISSION = 'traffy:service-client-permission';

type ClientRequest = FastifyRequest<{ Body: Form | undefined }> & { serviceClient?: ServiceClientInfo };

/** Allows only service clients with a permission; credentials of users are ignored. */
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
      noteRefusal(request, { check: `permission:${permission}` });
      throw new Problem('unauthorized_client', { detail: `The client lacks the permission ${permission}.` });
    }
    request.serviceClient = client;
    return true;
  }

  private async authenticate(request: ClientRequest): Promise<ServiceClientInfo> {
    const presented = presentedClient(request.headers.authorization, request.body ?? {});
    if (presented === 'ambiguous') {
      throw new Problem('validation_failed', {
        detail: 'The client authenticates in more than one way.',
      });
    }
    if (presented === 'none') {
      noteRefusal(request, { check: 'service_client:missing' });
      throw new Problem('invalid_client');
    }
    const client = await this.clients.verify(presented.id, presented.secret);
    if (client) return client;
    noteRefusal(request, { check: 'service_client:unknown' });
    request.log.warn({
      event: 'service_client_refused',
      client: isUuid(presented.id) ? presented.id : null,
      ip: request.clientAddress,
    });
    throw new Problem('invalid_client');
  }
}

/** Allows service clients with a permission on a route. */
export function ForServiceClients(permission: Permission): MethodDecorator {
  return applyDecorators(Public(), SetMetadata(PERMISSION, permission), UseGuards(ServiceClientGuard));
}

/** Injects the calling service client into a handler. Only for routes of service clients. */
export const FromServiceClient = createParamDecorator(
  (_data: unknown, context: ExecutionContext): ServiceClientInfo => {
    const { serviceClient } = context.switchToHttp().getRequest<ClientRequest>();
    if (!serviceClient)
      throw new Error('FromServiceClient is used on a route that is not for service clients');
    return serviceClient;
  },
);
