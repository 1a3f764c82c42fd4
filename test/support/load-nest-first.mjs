// Packages in CommonJS require the ES modules of Nest; Jest can do that only once those are loaded completely.
import '@nestjs/common';
import '@nestjs/core';
